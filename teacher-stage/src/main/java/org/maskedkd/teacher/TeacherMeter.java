package org.maskedkd.teacher;

import org.maskedkd.runtime.Metric;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.vit.BlockTokens;
import org.maskedkd.vit.Macs;
import org.maskedkd.vit.VitConfig;

/** What a teacher shows of its work. Thread-safe. */
final class TeacherMeter {
  private final Metrics metrics;
  private final VitConfig config;

  TeacherMeter(Metrics metrics, VitConfig config) {
    this.metrics = metrics;
    this.config = config;
    runs(0);
    queue(0);
  }

  /** So many runs have a stream. */
  void runs(int count) {
    metrics.set(Metric.TEACHER_RUNS, count);
  }

  /** So many micro-batches are there. */
  void queue(int microBatches) {
    metrics.set(Metric.TEACHER_QUEUE, microBatches);
  }

  /** A micro-batch or a stream does not fit. */
  void refused() {
    metrics.add(Metric.TEACHER_REFUSED);
  }

  /**
   * @param kept patches of each image
   * @param merge tokens merged in each block
   */
  void answered(int images, int kept, int merge, double seconds) {
    long done = Macs.forward(config, kept, BlockTokens.merging(config, kept, merge));
    metrics.add(Metric.STAGE_BUSY, seconds);
    metrics.add(Metric.TEACHER_MICROBATCHES);
    metrics.add(Metric.TEACHER_IMAGES, images);
    metrics.add(Metric.TEACHER_MACS, (double) images * done);
    metrics.add(Metric.TEACHER_SAVED_MACS, (double) images * (Macs.full(config) - done));
  }
}
