package org.maskedkd.student;

import org.maskedkd.proto.v1.Action;
import org.maskedkd.proto.v1.Operation;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.schedule.Schedule;

/** Schedules as a coordinator would send them. */
final class Plans {
  private Plans() {}

  static StepPlan of(Schedule schedule) {
    StepPlan.Builder plan =
        StepPlan.newBuilder()
            .setStep(7)
            .setOrder(schedule.order().text())
            .setWindowSamples(schedule.window())
            .addAllMicroBatchSizes(schedule.sizes())
            .setStaleMicroBatches(schedule.stale())
            .addAllAheadSizes(schedule.ahead());
    schedule
        .student()
        .forEach(
            action ->
                plan.addActions(
                    Action.newBuilder()
                        .setOperation(Operation.valueOf("OPERATION_" + action.operation()))
                        .setIndex(action.index())));
    return plan.build();
  }
}
