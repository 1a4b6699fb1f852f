package org.maskedkd.student;

import java.util.ArrayList;
import java.util.List;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.schedule.Action;
import org.maskedkd.schedule.Operation;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.ScheduleValidator;

/**
 * Carries out one step's plan, action by action. It decides nothing and knows no tensors, so it can
 * be read and tested by itself.
 */
final class StepInterpreter {
  /** What a step is made of. */
  interface Device {
    /**
     * Hands the patches of micro-batch {@code index} over before its forward; its samples are
     * {@code [from, to)} of the batch.
     */
    void offer(int index, int from, int to);

    /**
     * Runs the forward of micro-batch {@code index}, whose samples are {@code [from, to)} of the
     * batch.
     */
    void forward(int index, int from, int to);

    /**
     * Chooses and hands over the patches of the next step's micro-batch {@code index}, whose
     * samples are {@code [from, to)} of its batch.
     */
    void lookAhead(int index, int from, int to) throws InterruptedException;

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
    Schedule schedule = schedule(plan, batch);
    int[] ends = ends(schedule.sizes());
    int[] endsAhead = ends(schedule.ahead());
    for (Action action : schedule.student()) {
      int index = action.index();
      switch (action.operation()) {
        case OFFER -> device.offer(index, ends[index] - schedule.sizes().get(index), ends[index]);
        case FORWARD ->
            device.forward(index, ends[index] - schedule.sizes().get(index), ends[index]);
        case LOOK_AHEAD ->
            device.lookAhead(
                index, endsAhead[index] - schedule.ahead().get(index), endsAhead[index]);
        case AWAIT -> {
          for (int i = 0; i < ends.length; i++) {
            device.awaitGradient(i);
          }
        }
        case BACKWARD -> {
          device.awaitGradient(index);
          device.backward(index);
        }
        case CHOOSE, TEACHER, OPTIMIZER ->
            throw new IllegalStateException(action + " is no action of a student");
      }
    }
  }

  private static int[] ends(List<Integer> sizes) {
    int[] ends = new int[sizes.size()];
    int end = 0;
    for (int i = 0; i < ends.length; i++) {
      end += sizes.get(i);
      ends[i] = end;
    }
    return ends;
  }

  /**
   * @throws IllegalArgumentException if the plan cannot be carried out at all
   */
  static Schedule schedule(StepPlan plan, int batch) {
    List<Action> actions = new ArrayList<>(plan.getActionsCount());
    for (org.maskedkd.proto.v1.Action action : plan.getActionsList()) {
      actions.add(
          switch (action.getOperation()) {
            case OPERATION_OFFER -> new Action(Operation.OFFER, action.getIndex());
            case OPERATION_FORWARD -> new Action(Operation.FORWARD, action.getIndex());
            case OPERATION_LOOK_AHEAD -> new Action(Operation.LOOK_AHEAD, action.getIndex());
            case OPERATION_AWAIT -> Action.BARRIER;
            case OPERATION_BACKWARD -> new Action(Operation.BACKWARD, action.getIndex());
            case OPERATION_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException(
                    "step %d: action %d is unknown to this student"
                        .formatted(plan.getStep(), action.getOperationValue()));
          });
    }
    try {
      Schedule schedule =
          new Schedule(
              Order.of(plan.getOrder()),
              plan.getMicroBatchSizesList(),
              plan.getWindowSamples(),
              actions,
              List.of(),
              plan.getStaleMicroBatches(),
              plan.getAheadSizesList());
      ScheduleValidator.check(schedule, 0);
      if (schedule.batch() != batch) {
        throw new IllegalArgumentException(
            "micro-batch sizes %s add up to %d, the batch has %d"
                .formatted(schedule.sizes(), schedule.batch(), batch));
      }
      return schedule;
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "step %d: %s".formatted(plan.getStep(), e.getMessage()), e);
    }
  }
}
