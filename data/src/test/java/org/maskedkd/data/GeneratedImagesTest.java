package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GeneratedImagesTest {
  @TempDir Path root;

  private static GeneratedImages images(String spec) {
    return new GeneratedImages(GeneratedSpec.parse(spec));
  }

  @Test
  void decode_sameSpec_isTheSamePicture() {
    GeneratedImages a = images("images=40");
    GeneratedImages b = images("generated:images=40,split=train");

    assertThat(b.decode(17).rgb()).isEqualTo(a.decode(17).rgb());
    assertThat(b.fingerprint()).isEqualTo(a.fingerprint());
    assertThat(images("images=40,seed=2").decode(17).rgb()).isNotEqualTo(a.decode(17).rgb());
    assertThat(images("images=40,seed=2").fingerprint()).isNotEqualTo(a.fingerprint());
  }

  @Test
  void decode_largerSet_beginsEveryClassWithTheSmallerOnes() {
    GeneratedImages small = images("images=16");
    GeneratedImages large = images("images=80");

    assertThat(large.decode(10 * 3 + 1).rgb()).isEqualTo(small.decode(2 * 3 + 1).rgb());
  }

  @Test
  void decode_trainAndEval_shareNoPicture() {
    GeneratedImages train = images("images=400");
    GeneratedImages eval = images("images=400,split=eval");
    Set<ByteBuffer> seen = new HashSet<>();

    for (int i = 0; i < 400; i++) {
      seen.add(ByteBuffer.wrap(train.decode(i).rgb()));
      seen.add(ByteBuffer.wrap(eval.decode(i).rgb()));
    }

    assertThat(seen).hasSize(800);
    ImageSource.requireSameClasses(train, eval);
  }

  @Test
  void label_everyClass_hasItsShareInOrder() {
    GeneratedImages source = images("classes=7,images=30");
    int[] perClass = new int[7];
    Set<String> names = new HashSet<>();

    for (int i = 0; i < 30; i++) {
      perClass[source.label(i)]++;
      names.add(source.name(i));
      assertThat(source.name(i)).startsWith(source.classes().get(source.label(i)) + "/");
    }

    assertThat(perClass).containsOnly(4, 5);
    assertThat(names).hasSize(30);
    assertThat(source.classes()).isSorted();
  }

  @Test
  void writeTo_folder_opensAsTheSameSet() {
    GeneratedImages source = images("classes=3,images=7,size=24,patch=4");

    source.writeTo(root.resolve("set"));

    try (ImageSource folder = ImageSource.open("set", root)) {
      assertThat(folder.classes()).isEqualTo(source.classes());
      assertThat(folder.size()).isEqualTo(7);
      for (int i = 0; i < 7; i++) {
        assertThat(folder.name(i)).isEqualTo(source.name(i));
        assertThat(folder.decode(i).rgb()).isEqualTo(source.decode(i).rgb());
      }
    }
  }

  @Test
  void contactSheet_twoImages_standSideBySideEnlarged() throws Exception {
    Image left = TestImages.indexed(32, 32, 0);
    Image right = TestImages.indexed(32, 32, 90);
    Path file = root.resolve("sheet.png");

    ContactSheet.write(file, List.of(left, right), 2, List.of("left", "right"));

    Image sheet = Decoders.of(JpegLibrary.JDK).decode(Files.readAllBytes(file), "sheet");
    // Margins of 6 pixels, enlarged three times to 96.
    assertThat(sheet.width()).isEqualTo(6 + 2 * (96 + 6));
    assertThat(TestImages.value(sheet, 1, 6 + 3 * 4, 6 + 3 * 5 + 2))
        .isEqualTo(TestImages.value(left, 1, 4, 5));
    assertThat(TestImages.value(sheet, 2, 6 + 3 * 31 + 2, 6 + 102 + 3 * 31))
        .isEqualTo(TestImages.value(right, 2, 31, 31));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "class=8",
        "classes=1",
        "classes=99",
        "size=30",
        "images=3",
        "images=many",
        "split=test",
        "patch"
      })
  void parse_impossibleSpec_namesTheValue(String spec) {
    assertThatThrownBy(() -> GeneratedSpec.parse("generated:" + spec))
        .isInstanceOf(DataException.class)
        .hasMessageContaining(spec.split("=", 2)[0]);
  }

  @Test
  void toString_parsedAgain_isTheSame() {
    GeneratedSpec spec = GeneratedSpec.parse("generated:classes=5,seed=-3,split=eval");

    assertThat(GeneratedSpec.parse(spec.toString())).isEqualTo(spec);
    assertThat(GeneratedSpec.parse("generated:"))
        .isEqualTo(new GeneratedSpec(8, 4000, 32, 4, 1, "train"));
  }
}
