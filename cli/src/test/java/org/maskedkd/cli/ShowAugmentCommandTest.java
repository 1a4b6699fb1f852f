package org.maskedkd.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import javax.imageio.ImageIO;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShowAugmentCommandTest {
  @TempDir private Path folder;

  private Run show(String out, String... more) {
    String[] arguments = {
      "show",
      "augment",
      "-c",
      TinyRun.config(folder),
      "--images",
      "3",
      "--views",
      "2",
      "--out",
      folder.resolve(out).toString(),
      "augmentation.rand-augment=rand-m9-mstd0.5-inc1"
    };
    String[] all = new String[arguments.length + more.length];
    System.arraycopy(arguments, 0, all, 0, arguments.length);
    System.arraycopy(more, 0, all, arguments.length, more.length);
    return Run.of(all);
  }

  @Test
  void show_configuration_drawsTheSameSheetEachTimeAndAnotherForAnotherSeed() throws IOException {
    assertThat(show("one.png")).isEqualTo(new Run(0, folder.resolve("one.png") + "\n", ""));
    show("two.png");
    show("three.png", "seed=4");

    BufferedImage sheet = ImageIO.read(folder.resolve("one.png").toFile());
    // Three columns of 16 pixels, six times as large, with margins of 6.
    assertThat(sheet.getWidth()).isEqualTo(6 + 3 * (96 + 6));
    assertThat(Files.mismatch(folder.resolve("one.png"), folder.resolve("two.png"))).isEqualTo(-1);
    assertThat(Files.mismatch(folder.resolve("one.png"), folder.resolve("three.png")))
        .isNotEqualTo(-1);
  }

  private void tar(String name, Map<String, byte[]> members) throws IOException {
    try (var tar = new TarArchiveOutputStream(Files.newOutputStream(folder.resolve(name)))) {
      for (Map.Entry<String, byte[]> member : members.entrySet()) {
        TarArchiveEntry entry = new TarArchiveEntry(member.getKey());
        entry.setSize(member.getValue().length);
        tar.putArchiveEntry(entry);
        tar.write(member.getValue());
        tar.closeArchiveEntry();
      }
    }
  }

  private static byte[] noise(int count) {
    byte[] bytes = new byte[count];
    new SplittableRandom(count).nextBytes(bytes);
    return bytes;
  }

  private static byte[] png(int rgb) throws IOException {
    BufferedImage image = new BufferedImage(20, 20, BufferedImage.TYPE_INT_RGB);
    image.setRGB(7, 7, rgb);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, "png", out);
    return out.toByteArray();
  }

  private void writeSources() throws IOException {
    Map<String, byte[]> cifar = new LinkedHashMap<>();
    cifar.put("c/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n".getBytes(UTF_8));
    for (int i = 1; i <= 5; i++) {
      byte[] record = noise(3073);
      record[0] = (byte) i;
      cifar.put("c/data_batch_" + i + ".bin", record);
    }
    tar("cifar.tar", cifar);
    byte[] images = noise(16 + 3 * 28 * 28);
    System.arraycopy(
        new byte[] {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28}, 0, images, 0, 16);
    Files.write(folder.resolve("train-images-idx3-ubyte"), images);
    Files.write(
        folder.resolve("train-labels-idx1-ubyte"), new byte[] {0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2});
    for (int shard = 0; shard < 2; shard++) {
      Map<String, byte[]> samples = new LinkedHashMap<>();
      for (int i = 0; i < 2; i++) {
        samples.put(i + ".png", png(0x10F020 * (1 + i + 2 * shard)));
        samples.put(i + ".cls", String.valueOf(i).getBytes(UTF_8));
      }
      tar("train-%d.tar".formatted(shard), samples);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"cifar:cifar.tar!train", "idx:train-images-idx3-ubyte", "shards:train-{0..1}.tar"})
  void show_anySourceWithARecipeAndColorJitter_drawsIt(String source) throws IOException {
    writeSources();
    String[] keys = {
      "data.root=" + folder,
      "data.train='" + source + "'",
      "augmentation.rand-augment=",
      "augmentation.recipe=simple"
    };
    assertThat(show("plain.png", keys))
        .isEqualTo(new Run(0, folder.resolve("plain.png") + "\n", ""));
    String[] more = Arrays.copyOf(keys, keys.length + 1);
    more[keys.length] = "augmentation.color-jitter=0.4";
    assertThat(show("jitter.png", more).exit()).isZero();

    BufferedImage sheet = ImageIO.read(folder.resolve("plain.png").toFile());
    // Three rows of 96 pixels with captions below.
    assertThat(sheet.getHeight()).isGreaterThan(3 * 96);
    assertThat(Files.mismatch(folder.resolve("plain.png"), folder.resolve("jitter.png")))
        .isNotEqualTo(-1);
  }

  @Test
  void show_policyThatThereIsNot_isRefusedWithAnExample() {
    Run run = show("four.png", "augmentation.rand-augment=autoaugment");
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("'autoaugment'", "rand-m9-mstd0.5-inc1");
    assertThat(folder.resolve("four.png")).doesNotExist();
  }
}
