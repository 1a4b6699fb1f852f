package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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

  @Test
  void show_policyThatThereIsNot_isRefusedWithAnExample() {
    Run run = show("four.png", "augmentation.rand-augment=autoaugment");
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("'autoaugment'", "rand-m9-mstd0.5-inc1");
    assertThat(folder.resolve("four.png")).doesNotExist();
  }
}
