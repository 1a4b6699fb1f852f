package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SourcesTest {
  @TempDir Path root;

  private static final String[] NAMES = {
    "cat/b.png", "cat/a.png", "dog/1.jpg", "ant/x.PNG", "ant/y.png", "ant/z.png"
  };

  @Test
  void open_folder_listsClassesAndFilesInOrder() throws IOException {
    TestImages.folder(root.resolve("set"), NAMES);
    Files.writeString(root.resolve("set/readme.txt"), "no image");
    Files.writeString(root.resolve("set/cat/.hidden.png"), "hidden");
    Files.writeString(root.resolve("set/cat/labels.csv"), "no image");

    try (ImageSource source = ImageSource.open("set", root)) {
      assertThat(source.classes()).containsExactly("ant", "cat", "dog");
      assertThat(source.size()).isEqualTo(6);
      assertThat(source.name(3)).isEqualTo("cat/a.png");
      assertThat(source.label(3)).isEqualTo(1);
      assertThat(source.name(5)).isEqualTo("dog/1.jpg");
      assertThat(source.bytes(3)).isEqualTo(Files.size(root.resolve("set/cat/a.png")));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"set.tar", "set.tar.gz", "set.tgz"})
  void open_archive_isTheFolderItWasMadeOf(String archive) throws IOException {
    TestImages.folder(root.resolve("set"), NAMES);
    TestImages.tar(root.resolve(archive), root.resolve("set"), "./", !archive.endsWith(".tar"));

    try (ImageSource folder = ImageSource.open("set", root);
        ImageSource tar = ImageSource.open(archive, root)) {
      assertSame(folder, tar);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"set.tar", "set.tar.gz"})
  void open_folderInsideAnArchive_isThatFolder(String archive) throws IOException {
    TestImages.folder(root.resolve("set/train"), NAMES);
    TestImages.folder(root.resolve("set/test"), "ant/q.png", "cat/r.png", "dog/s.png");
    TestImages.tar(root.resolve(archive), root.resolve("set"), "", archive.endsWith("gz"));

    try (ImageSource folder = ImageSource.open("set/train", root);
        ImageSource train = ImageSource.open(archive + "!train", root);
        ImageSource test = ImageSource.open(archive + "!test/", root)) {
      assertSame(folder, train);
      assertThat(test.size()).isEqualTo(3);
    }
    assertThatThrownBy(() -> ImageSource.open(archive + "!val", root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("no folder val/")
        .hasMessageContaining("[test, train]");
    assertThatThrownBy(() -> ImageSource.open(archive, root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("only folders inside [test, train]");
  }

  private static void assertSame(ImageSource expected, ImageSource actual) {
    assertThat(actual.classes()).isEqualTo(expected.classes());
    assertThat(actual.fingerprint()).isEqualTo(expected.fingerprint());
    for (int i = 0; i < expected.size(); i++) {
      assertThat(actual.name(i)).isEqualTo(expected.name(i));
      assertThat(actual.label(i)).isEqualTo(expected.label(i));
      assertThat(actual.decode(i).rgb()).isEqualTo(expected.decode(i).rgb());
    }
  }

  @Test
  void open_compressedArchiveOverTheLimit_saysToUnpackIt() throws IOException {
    TestImages.folder(root.resolve("set"), NAMES);
    TestImages.tar(root.resolve("set.tar.gz"), root.resolve("set"), "", true);
    SourceOptions small = SourceOptions.defaults().withMemoryLimitBytes(100);

    assertThatThrownBy(() -> ImageSource.open("set.tar.gz", root, small))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("set.tar.gz")
        .hasMessageContaining("more than the 100 bytes")
        .hasMessageContaining("gunzip");
  }

  @Test
  void open_smallArchiveOfVeryManyHeaders_stopsAtTheLimit() throws IOException {
    Map<String, byte[]> members = new LinkedHashMap<>();
    for (int i = 0; i < 5000; i++) {
      members.put("class/%d.png".formatted(i), new byte[0]);
    }
    Path file = TestImages.tar(root.resolve("set.tar.gz"), members);
    assertThat(Files.size(file)).isLessThan(100_000);
    SourceOptions small = SourceOptions.defaults().withMemoryLimitBytes(500_000);

    assertThatThrownBy(() -> ImageSource.open("set.tar.gz", root, small))
        .isInstanceOf(DataException.class)
        .hasMessageContainingAll("set.tar.gz", "500000 bytes");
  }

  @ParameterizedTest
  @ValueSource(strings = {"set.tar", "set.tar.gz"})
  void open_truncatedArchive_namesIt(String archive) throws IOException {
    TestImages.folder(root.resolve("set"), NAMES);
    Path file =
        TestImages.tar(root.resolve(archive), root.resolve("set"), "", archive.endsWith("gz"));
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(bytes, archive.endsWith("gz") ? bytes.length * 3 / 4 : 3000));

    assertThatThrownBy(() -> ImageSource.open(archive, root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining(archive);
  }

  @ParameterizedTest
  @ValueSource(strings = {"../out", "set/../../out", "/etc", "../out.tar", "../out.tar!train"})
  void open_pathOutOfTheRoot_isRefused(String spec) {
    assertThatThrownBy(() -> ImageSource.open(spec, root.resolve("data")))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("outside the data root");
  }

  @Test
  void open_absolutePathInsideTheRoot_isAllowed() throws IOException {
    TestImages.folder(root.resolve("set"), NAMES);

    try (ImageSource source = ImageSource.open(root.resolve("set").toString(), root)) {
      assertThat(source.size()).isEqualTo(6);
    }
  }

  @Test
  void open_nothingThere_saysWhatWasExpected() throws IOException {
    Files.createDirectories(root.resolve("empty"));

    assertThatThrownBy(() -> ImageSource.open("absent", root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("absent does not exist");
    assertThatThrownBy(() -> ImageSource.open("absent.tar", root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("absent.tar does not exist");
    assertThatThrownBy(() -> ImageSource.open("empty", root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("empty holds no images");
  }

  @ParameterizedTest
  @ValueSource(strings = {"set", "set.tar", "set.tar.gz"})
  void open_classWithoutImages_namesIt(String spec) throws IOException {
    TestImages.folder(root.resolve("set"), NAMES);
    Files.createDirectories(root.resolve("set/emu"));
    TestImages.tar(root.resolve("set.tar"), root.resolve("set"), "", false);
    TestImages.tar(root.resolve("set.tar.gz"), root.resolve("set"), "", true);

    assertThatThrownBy(() -> ImageSource.open(spec, root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("class folder emu");
  }

  @Test
  void requireSameClasses_others_namesThem() throws IOException {
    TestImages.folder(root.resolve("a"), "ant/1.png", "cat/1.png");
    TestImages.folder(root.resolve("b"), "cat/1.png", "dog/1.png");

    try (ImageSource a = ImageSource.open("a", root);
        ImageSource b = ImageSource.open("b", root)) {
      ImageSource.requireSameClasses(a, a);
      assertThatThrownBy(() -> ImageSource.requireSameClasses(a, b))
          .isInstanceOf(DataException.class)
          .hasMessageContaining("only for training: ant; only for evaluation: dog");
    }
  }

  @Test
  void decode_corruptImage_failsByName() throws IOException {
    corruptSet();

    try (ImageSource source = ImageSource.open("set", root)) {
      assertThatThrownBy(() -> source.decode(1))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("y.png");
      assertThat(source.decode(0).height()).isEqualTo(6);
    }
  }

  @Test
  void decode_corruptImageSkipped_isTheNextSoundOneOfItsClass() throws IOException {
    corruptSet();
    SourceOptions skip = SourceOptions.defaults().withOnCorrupt(OnCorrupt.SKIP);

    try (ImageSource source = ImageSource.open("set", root, skip)) {
      // ant is x, y, z, of which y and z are damaged: z's next is x, around the end.
      assertThat(source.decode(1).rgb()).isEqualTo(source.decode(0).rgb());
      assertThat(source.decode(2).rgb()).isEqualTo(source.decode(0).rgb());
      assertThat(source.decode(2).rgb()).isEqualTo(source.decode(0).rgb());
      assertThat(source.skipped()).isEqualTo(2);
      assertThat(source.decode(3).rgb()).isNotEqualTo(source.decode(0).rgb());
      assertThatThrownBy(() -> source.decode(5))
          .isInstanceOf(DataException.class)
          .hasMessageContaining("no image of class dog");
    }
  }

  private void corruptSet() throws IOException {
    TestImages.folder(root.resolve("set"), NAMES);
    Files.write(root.resolve("set/ant/y.png"), new byte[0]);
    Files.writeString(root.resolve("set/ant/z.png"), "not an image");
    Files.writeString(root.resolve("set/dog/1.jpg"), "not an image");
  }
}
