package org.maskedkd.student;

import java.util.List;
import org.maskedkd.proto.v1.Order;
import org.maskedkd.proto.v1.StepPlan;

/**
 * Carries out one step's plan: which forward or backward comes next, and when to wait. It knows no
 * tensors, so the rule can be read and tested by itself.
 *
 * <p>Eager: a forward whenever the window has room for it, else the next backward, which runs in
 * index order as soon as its gradient is there. Fill-drain (GPipe's own order): every forward, then
 * every gradient, then the backwards.
 */
final class StepInterpreter {
  /** What a step is made of. */
  interface Device {
    /**
     * Runs the forward of micro-batch {@code index}, whose samples are {@code [from, to)} of the
     * batch.
     */
    void forward(int index, int from, int to);

    /** Waits until the gradient of micro-batch {@code index} has arrived. */
    void awaitGradient(int index) throws StepAbandonedException, InterruptedException;

    /** Runs the backward of micro-batch {@code index} and frees what its forward held. */
    void backward(int index) throws StepAbandonedException, InterruptedException;
  }

  private StepInterpreter() {}

  /**
   * @throws IllegalArgumentException if the plan cannot be carried out at all
   * @throws StepAbandonedException if the coordinator gave the step up
   */
  static void run(StepPlan plan, int batch, Device device)
      throws StepAbandonedException, InterruptedException {
    check(plan, batch);
    List<Integer> sizes = plan.getMicroBatchSizesList();
    int count = sizes.size();
    int forwards = 0;
    int backwards = 0;
    int begin = 0;
    int held = 0;
    while (backwards < count) {
      boolean room =
          forwards < count
              && (plan.getOrder() == Order.ORDER_FILL_DRAIN
                  || held + sizes.get(forwards) <= plan.getWindowSamples());
      if (room) {
        int end = begin + sizes.get(forwards);
        device.forward(forwards, begin, end);
        held += sizes.get(forwards);
        begin = end;
        forwards++;
        continue;
      }
      if (plan.getOrder() == Order.ORDER_FILL_DRAIN) {
        for (int i = backwards; i < count; i++) {
          device.awaitGradient(i);
        }
      }
      device.awaitGradient(backwards);
      device.backward(backwards);
      held -= sizes.get(backwards);
      backwards++;
    }
  }

  private static void check(StepPlan plan, int batch) {
    int sum = 0;
    int largest = 0;
    for (int size : plan.getMicroBatchSizesList()) {
      if (size < 1) {
        throw new IllegalArgumentException(
            "step %d: micro-batch sizes must be at least 1, found %s"
                .formatted(plan.getStep(), plan.getMicroBatchSizesList()));
      }
      sum += size;
      largest = Math.max(largest, size);
    }
    if (sum != batch) {
      throw new IllegalArgumentException(
          "step %d: micro-batch sizes %s add up to %d, the batch has %d"
              .formatted(plan.getStep(), plan.getMicroBatchSizesList(), sum, batch));
    }
    int needed = plan.getOrder() == Order.ORDER_FILL_DRAIN ? batch : largest;
    if (plan.getWindowSamples() < needed) {
      throw new IllegalArgumentException(
          "step %d: a window of %d samples cannot hold %d, which %s needs"
              .formatted(plan.getStep(), plan.getWindowSamples(), needed, plan.getOrder()));
    }
  }
}
