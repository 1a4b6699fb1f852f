package org.maskedkd.coordinator;

/**
 * The learning rate of each step: from the warm-up rate in a straight line to the curve's peak,
 * then a cosine over all epochs down to the least rate. At the beginning of each epoch it is what
 * timm's cosine scheduler gives to that whole epoch (the cosine counts from epoch 0, so it is not
 * shifted by the warm-up); in between it moves with each step [ours], which short runs need.
 */
final class LearningRates {

  private final RunConfig.Optimizer optimizer;
  private final int epochs;
  private final long stepsPerEpoch;

  LearningRates(RunConfig.Optimizer optimizer, int epochs, long stepsPerEpoch) {
    this.optimizer = optimizer;
    this.epochs = epochs;
    this.stepsPerEpoch = stepsPerEpoch;
  }

  /** The rate of a step, counted from 1 on. */
  double at(long step) {
    double epoch = (double) (step - 1) / stepsPerEpoch;
    double peak = optimizer.learningRate();
    if (epoch < optimizer.warmupEpochs()) {
      double start = optimizer.warmupLearningRate();
      return start + (peak - start) * epoch / optimizer.warmupEpochs();
    }
    double least = optimizer.minLearningRate();
    return least + 0.5 * (peak - least) * (1 + Math.cos(Math.PI * Math.min(1, epoch / epochs)));
  }
}
