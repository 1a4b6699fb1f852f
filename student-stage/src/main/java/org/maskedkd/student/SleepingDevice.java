package org.maskedkd.student;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.SleepTimes;
import org.maskedkd.vit.ModelConfig;

/**
 * Sleeps as long as a model would compute, so that schedules can be measured on a machine that is
 * too small or too busy for it. Every logit is zero, the first patches are the most salient ones,
 * and no weight ever changes; data and messages are those of a real student.
 */
final class SleepingDevice implements StudentDevice {
  static final Set<String> OPERATIONS = Set.of("forward", "backward", "optimizer");

  private final SleepTimes times;
  private final ModelConfig config;
  private final Objective objective;

  SleepingDevice(SleepTimes times, ModelConfig config, Objective objective) {
    this.times = times;
    this.config = config;
    this.objective = objective;
  }

  @Override
  public Objective objective() {
    return objective;
  }

  @Override
  public Activations forward(
      ByteBuffer images,
      int count,
      int @Nullable [] kept,
      float @Nullable [][] drops,
      boolean wantSaliency) {
    // From here on, so that the selection that follows is part of the time and does not add to it.
    long end = times.deadline("forward", count);
    return new Asleep(count, descending(wantSaliency ? count : 0), end);
  }

  @Override
  public float[][] saliency(ByteBuffer images, int count, float @Nullable [][] drops) {
    SleepTimes.sleepUntil(times.deadline("forward", count));
    return descending(count);
  }

  private float[][] descending(int count) {
    float[] descending = new float[config.gridRows() * config.gridColumns()];
    for (int i = 0; i < descending.length; i++) {
      descending[i] = descending.length - i;
    }
    float[][] saliency = new float[count][];
    Arrays.fill(saliency, descending);
    return saliency;
  }

  @Override
  public double optimize(double learningRate) {
    SleepTimes.sleepUntil(times.deadline("optimizer"));
    return 0;
  }

  private final class Asleep implements Activations {
    private final int count;
    private final float[][] saliency;
    private final long end;

    Asleep(int count, float[][] saliency, long end) {
      this.count = count;
      this.saliency = saliency;
      this.end = end;
    }

    @Override
    public float[][] saliency() {
      return saliency;
    }

    @Override
    public float[] logits() {
      SleepTimes.sleepUntil(end);
      return new float[count * config.classes()];
    }

    @Override
    public float @Nullable [] distillationLogits() {
      return objective.separateHeads() ? new float[count * config.classes()] : null;
    }

    @Override
    public FeatureLoss.Sums backward(BackwardSignal signal) {
      SleepTimes.sleepUntil(times.deadline("backward", count));
      return FeatureLoss.Sums.NONE;
    }

    @Override
    public void close() {}
  }
}
