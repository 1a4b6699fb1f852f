package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ShardsTest {
  @TempDir private Path root;

  @BeforeEach
  void folder() throws IOException {
    Files.createDirectories(root.resolve("s"));
  }

  private static byte[] text(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] png(int color) throws IOException {
    return TestImages.encode(TestImages.flat(5, 7, color), "png");
  }

  private void shard(String name, Map<String, byte[]> members) throws IOException {
    TestImages.tar(root.resolve("s").resolve(name), members);
  }

  /** Pairs of a name and a text, or a picture of the colour 0xRRGGBB. */
  private void shard(String name, Object... members) throws IOException {
    Map<String, byte[]> map = new LinkedHashMap<>();
    for (int i = 0; i < members.length; i += 2) {
      Object content = members[i + 1];
      map.put(
          (String) members[i],
          content instanceof Integer color ? png(color) : text((String) content));
    }
    shard(name, map);
  }

  private static int red(ImageSource source, int index) {
    return source.decode(index).rgb()[0] & 0xFF;
  }

  private void twoShards() throws IOException {
    shard(
        "t-08.tar",
        "x/a.b.seg.png",
        0x010000,
        "x/a.jpg.txt",
        "a caption",
        "x/0.cls",
        " 2\n",
        "x/0.png",
        0x110000,
        "README",
        "no sample",
        "x/1.PNG",
        0x220000,
        "x/1.json",
        "{\"size\": {\"label\": 9}, \"label\": 1, \"more\": []}",
        "y/1.cls",
        "0",
        "y/1.json",
        "not read where there is a number",
        "y/1.png",
        0x330000);
    shard("t-09.tar", "0.png", 0x440000, "0.cls", "2");
    Files.writeString(root.resolve("s/notes.md"), "no shard");
  }

  @ParameterizedTest
  @ValueSource(strings = {"shards:s", "shards:s/t-{08..09}.tar"})
  void open_shards_areTheirSamplesInOrder(String spec) throws IOException {
    twoShards();

    try (ImageSource source = ImageSource.open(spec, root)) {
      assertThat(source.size()).isEqualTo(4);
      assertThat(source.classes()).containsExactly("0", "1", "2");
      assertThat(new int[] {source.label(0), source.label(1), source.label(2), source.label(3)})
          .containsExactly(2, 1, 0, 2);
      assertThat(source.name(1)).isEqualTo("1/t-08.tar!x/1.PNG");
      assertThat(source.bytes(3)).isEqualTo(png(0x440000).length);
      for (int i = 0; i < 4; i++) {
        assertThat(red(source, i)).isEqualTo(0x11 * (i + 1));
        assertThat(source.shard(i)).isEqualTo(i / 3);
      }
    }
  }

  @Test
  void open_withNamesOfClasses_hasThoseAndThatMany() throws IOException {
    twoShards();
    Files.writeString(root.resolve("s/classes.txt"), "ant\nbee\ncat\ndog\n");

    try (ImageSource source = ImageSource.open("shards:s", root)) {
      assertThat(source.classes()).containsExactly("ant", "bee", "cat", "dog");
      assertThat(source.name(1)).isEqualTo("bee/t-08.tar!x/1.PNG");
    }
    for (String names : new String[] {"ant\nbee\n", "ant\nbee\nbee\n", "ant\n\ncat\n", ""}) {
      Files.writeString(root.resolve("s/classes.txt"), names);
      assertThatThrownBy(() -> ImageSource.open("shards:s", root))
          .isInstanceOf(DataException.class)
          .hasMessageContainingAll("classes.txt", "largest label is 2");
    }
    Files.write(root.resolve("s/classes.txt"), new byte[] {'a', (byte) 0xFF, '\n'});
    assertThatThrownBy(() -> ImageSource.open("shards:s", root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("UTF-8");
  }

  @Test
  void subset_ofShards_keepsTheirOrder() throws IOException {
    twoShards();
    try (ImageSource two = Subset.balanced(ImageSource.open("shards:s", root), 3, 1)) {
      assertThat(two.size()).isEqualTo(3);
      for (int i = 1; i < two.size(); i++) {
        assertThat(two.shard(i)).isGreaterThanOrEqualTo(two.shard(i - 1));
      }
    }
  }

  private void refused(String... messages) {
    assertThatThrownBy(() -> ImageSource.open("shards:s", root))
        .isInstanceOf(DataException.class)
        .hasMessageContainingAll(messages);
  }

  @Test
  void open_sampleWithoutOneImageAndALabel_namesShardAndSample() throws IOException {
    shard("t.tar", "a.png", 1, "a.txt", "x");
    refused("t.tar", "sample a has no label", "a.png");
    shard("t.tar", "a.png", 1, "a.cls", "1", "b.cls", "2");
    refused("t.tar", "sample b has a label, but no");
    shard("t.tar", "a.png", 1, "b.png", 2, "b.cls", "2", "a.cls", "1");
    refused("t.tar", "sample a has no label");
    shard("t.tar", "a.png", 1, "a.cls", "1", "a.jpg", 2);
    refused("t.tar", "both a.png and a.jpg");
    shard("t.tar", "a.txt", "nothing of ours");
    refused("t.tar", "no samples");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "a.cls | cat | 'cat'",
        "a.cls | -1 | '-1'",
        "a.cls | 100000 | 100000",
        "a.cls | 99999999999 | '99999999999'",
        "a.cls | '' | ''",
        "a.cls | 1.5 | '1.5'",
        "a.json | '{}' | no label",
        "a.json | [1] | no JSON object",
        "a.json | '{\"label\": \"cat\"}' | no whole number",
        "a.json | '{\"label\": 1.5}' | no whole number",
        "a.json | '{\"label\": -3}' | -3",
        "a.json | '{\"label\": 99999999999999999999}' | a.json",
        "a.json | '{\"x\": [{}, ' | a.json",
        "a.json | nonsense | a.json",
      })
  void open_labelThatIsNone_namesTheMember(String member, String content, String message)
      throws IOException {
    shard("t.tar", "a.png", 1, member, content);
    refused("t.tar!" + member, message);
  }

  @Test
  void open_labelOfTooManyBytes_isNotRead() throws IOException {
    shard("t.tar", "a.png", 1, "a.cls", " ".repeat(100) + "1");
    refused("t.tar!a.cls", "101 bytes");
    shard("t.tar", "a.png", 1, "a.json", "[".repeat(2_000_000));
    refused("t.tar!a.json", "2000000 bytes");
    shard("t.tar", "a.png", 1, "a.json", "{\"x\":" + "[".repeat(500_000));
    refused("t.tar!a.json");
  }

  @Test
  void open_cutShard_isRefused() throws IOException {
    twoShards();
    Path file = root.resolve("s/t-08.tar");
    byte[] all = Files.readAllBytes(file);
    for (int cut = 0; cut < 10 * 512; cut += 512) {
      Files.write(file, Arrays.copyOf(all, cut));
      refused("t-08.tar");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "s/{0..999999999}.tar",
        "s/{5..4}.tar",
        "s/{a,b}.tar",
        "s/{0..1}{0..1}.tar",
        "s/{0..1.tar",
        "s/{0..1/../../../x}.tar",
        "s/{00000000000000..1}.tar",
        "s/t-{08..10}.tar",
        "s/none.tar",
        "s/none-{0..1}.tar",
        "../{0..1}.tar",
        "/etc/{0..1}.tar",
        "/etc",
        "s/packed.tar.gz",
        "empty",
        "",
      })
  void open_patternOfNoShards_isRefused(String pattern) throws IOException {
    twoShards();
    Files.createDirectories(root.resolve("empty"));
    Files.write(root.resolve("s/packed.tar.gz"), new byte[1]);
    assertThatThrownBy(() -> ImageSource.open("shards:" + pattern, root))
        .isInstanceOf(DataException.class);
  }

  @Test
  void open_linkOutOfTheRoot_isRefused(@TempDir Path elsewhere) throws IOException {
    twoShards();
    Path outside = Files.move(root.resolve("s/t-09.tar"), elsewhere.resolve("t-09.tar"));
    Files.createSymbolicLink(root.resolve("s/t-09.tar"), outside);
    refused("t-09.tar", "outside the data root");

    Files.delete(root.resolve("s/t-09.tar"));
    Path names = Files.writeString(elsewhere.resolve("names.txt"), "ant\nbee\ncat\n");
    Files.createSymbolicLink(root.resolve("s/classes.txt"), names);
    refused("classes.txt", "outside the data root");
  }

  @Test
  void decode_damagedImage_isNamedOrSkipped() throws IOException {
    shard("t.tar", "a.png", 0x110000, "a.cls", "0", "b.png", "no image", "b.cls", "0");
    try (ImageSource source = ImageSource.open("shards:s", root)) {
      assertThatThrownBy(() -> source.decode(1))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("t.tar!b.png");
    }
    SourceOptions skip = SourceOptions.defaults().withOnCorrupt(OnCorrupt.SKIP);
    try (ImageSource source = ImageSource.open("shards:s", root, skip)) {
      assertThat(red(source, 1)).isEqualTo(0x11);
      assertThat(source.skipped()).isEqualTo(1);
    }
  }

  @Test
  void requireSameClasses_inAnotherOrder_saysSo() throws IOException {
    Map<String, byte[]> members = new LinkedHashMap<>();
    String[] names = new String[11];
    for (int i = 0; i < 11; i++) {
      members.put(i + ".png", png(i));
      members.put(i + ".cls", text(String.valueOf(i)));
      names[i] = i + "/a.png";
    }
    shard("t.tar", members);
    TestImages.folder(root.resolve("folders"), names);
    try (ImageSource shards = ImageSource.open("shards:s", root);
        ImageSource folders = ImageSource.open("folders", root)) {
      assertThatThrownBy(() -> ImageSource.requireSameClasses(shards, folders))
          .isInstanceOf(DataException.class)
          .hasMessageContaining("another order");
    }
  }
}
