package org.maskedkd.coordinator;

import org.maskedkd.proto.v1.Operation;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.schedule.Action;
import org.maskedkd.schedule.Schedule;

/**
 * What one step is to be.
 *
 * @param step from 1 on
 * @param attempt how often this step was started, from 1 on
 * @param epoch from 0 on
 * @param keep share of the patches that the teacher sees; 0 without a teacher
 */
record PlannedStep(
    long step, int attempt, int epoch, double learningRate, double keep, Schedule schedule) {

  /** As it is sent to the student. */
  StepPlan toMessage(String run) {
    StepPlan.Builder plan =
        StepPlan.newBuilder()
            .setRun(run)
            .setAttempt(attempt)
            .setStep(step)
            .setEpoch(epoch)
            .setLearningRate(learningRate)
            .addAllMicroBatchSizes(schedule.sizes())
            .setWindowSamples(schedule.window())
            .setKeep(keep)
            .setOrder(schedule.order().text())
            .setStaleMicroBatches(schedule.stale())
            .addAllAheadSizes(schedule.ahead());
    for (Action action : schedule.student()) {
      plan.addActions(
          org.maskedkd.proto.v1.Action.newBuilder()
              .setOperation(
                  switch (action.operation()) {
                    case OFFER -> Operation.OPERATION_OFFER;
                    case FORWARD -> Operation.OPERATION_FORWARD;
                    case LOOK_AHEAD -> Operation.OPERATION_LOOK_AHEAD;
                    case AWAIT -> Operation.OPERATION_AWAIT;
                    case BACKWARD -> Operation.OPERATION_BACKWARD;
                    case CHOOSE, TEACHER, OPTIMIZER ->
                        throw new IllegalStateException(action + " is no action of a student");
                  })
              .setIndex(action.index()));
    }
    return plan.build();
  }
}
