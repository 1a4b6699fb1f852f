package org.maskedkd.teacher;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.maskedkd.runtime.Metric;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.Role;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VitConfig;

class TeacherMeterTest {
  private static final int WIDTH = 16;
  private static final int PATCHES = 4;
  private static final int CLASSES = 3;
  private static final VitConfig CONFIG =
      ModelZoo.parse("vit:image=8,patch=4,width=16,depth=2,heads=2,classes=3");

  private final Metrics metrics = new Metrics(Role.TEACHER);
  private final TeacherMeter meter = new TeacherMeter(metrics, CONFIG);

  @AfterEach
  void close() {
    metrics.close();
  }

  private double shown(Metric metric) {
    return Shown.of(metrics, metric);
  }

  /** Projections, attention and MLP of one block, of so many tokens before and after merging. */
  private static double block(int attention, int mlp) {
    return 4.0 * attention * WIDTH * WIDTH
        + 2.0 * attention * attention * WIDTH
        + 2.0 * mlp * WIDTH * 4 * WIDTH;
  }

  /** The forward pass of one image: patches of 4 by 4 pixels of three channels, then the blocks. */
  private static double forward(int kept, double blocks) {
    return kept * 48.0 * WIDTH + blocks + WIDTH * CLASSES;
  }

  private static double masked(int kept) {
    return forward(kept, 2 * block(1 + kept, 1 + kept));
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "5, 2", "3, 4"})
  void answered_keptPatches_countsWhatWasDoneAndWhatAllPatchesWouldHaveTakenMore(
      int images, int kept) {
    meter.answered(images, kept, /* merge= */ 0, /* seconds= */ 0.25);

    assertThat(shown(Metric.TEACHER_MACS)).isEqualTo(images * masked(kept));
    assertThat(shown(Metric.TEACHER_SAVED_MACS))
        .isEqualTo(images * (masked(PATCHES) - masked(kept)));
    assertThat(shown(Metric.TEACHER_IMAGES)).isEqualTo(images);
  }

  @Test
  void answered_everyPatchKept_savesNothing() {
    meter.answered(2, PATCHES, /* merge= */ 0, /* seconds= */ 1);

    assertThat(shown(Metric.TEACHER_SAVED_MACS)).isZero();
    assertThat(shown(Metric.TEACHER_MACS)).isPositive();
  }

  @Test
  void answered_withMerging_countsTheTokensThatEachBlockHas() {
    meter.answered(2, PATCHES, /* merge= */ 1, /* seconds= */ 1);

    double merging = forward(PATCHES, block(5, 4) + block(4, 3));
    assertThat(shown(Metric.TEACHER_MACS)).isEqualTo(2 * merging);
    assertThat(shown(Metric.TEACHER_SAVED_MACS)).isEqualTo(2 * (masked(PATCHES) - merging));
  }

  @Test
  void answered_severalMicroBatches_addUp() {
    meter.answered(5, 2, /* merge= */ 0, /* seconds= */ 0.25);
    meter.answered(3, 4, /* merge= */ 0, /* seconds= */ 0.5);

    assertThat(shown(Metric.TEACHER_MICROBATCHES)).isEqualTo(2);
    assertThat(shown(Metric.TEACHER_IMAGES)).isEqualTo(8);
    assertThat(shown(Metric.STAGE_BUSY)).isEqualTo(0.75);
    assertThat(shown(Metric.TEACHER_MACS)).isEqualTo(5 * masked(2) + 3 * masked(4));
  }
}
