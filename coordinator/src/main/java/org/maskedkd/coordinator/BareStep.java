package org.maskedkd.coordinator;

import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.maskedkd.schedule.Cost;
import org.maskedkd.schedule.Costs;
import org.maskedkd.schedule.Operation;
import org.maskedkd.schedule.Simulator;
import org.maskedkd.schedule.Span;

/**
 * What a step would have taken had its tasks had their processors to themselves and had nothing
 * lain between them: its schedule, simulated with the processor time of its own tasks. What it took
 * longer is the price of all that is not the models: transport, coordinator, loading of images,
 * scheduling.
 */
final class BareStep {
  private static final Set<Operation> FORWARDS =
      EnumSet.of(Operation.FORWARD, Operation.LOOK_AHEAD);

  private BareStep() {}

  /** Null where the processor time of a task is not known. */
  static @Nullable Double seconds(MeasuredStep step) {
    boolean known =
        step.spans().stream()
            .filter(span -> span.device() == Span.STUDENT || span.operation() == Operation.TEACHER)
            .noneMatch(span -> Double.isNaN(span.cpu()));
    if (!known) {
      return null;
    }
    Cost forward = mean(step, FORWARDS);
    Cost choice = mean(step, EnumSet.of(Operation.CHOOSE));
    Costs costs =
        new Costs(
            samples -> choice.of(samples) + forward.of(samples),
            mean(step, EnumSet.of(Operation.TEACHER)),
            mean(step, EnumSet.of(Operation.BACKWARD)),
            Cost.NONE,
            Cost.NONE,
            step.spans().stream()
                .filter(span -> span.operation() == Operation.OPTIMIZER)
                .mapToDouble(Span::cpu)
                .sum());
    int teachers = step.teachers() - step.vacant().size();
    return Simulator.run(step.schedule(), costs, Collections.nCopies(teachers, 1.0)).step();
  }

  /** By the number of samples, over the micro-batches that have as many. */
  private static Cost mean(MeasuredStep step, Set<Operation> operations) {
    return step.spans().stream()
        .filter(span -> operations.contains(span.operation()))
        .filter(span -> span.operation() != Operation.LOOK_AHEAD || span.device() == Span.STUDENT)
        .collect(
            Collectors.collectingAndThen(
                Collectors.groupingBy(
                    span -> samples(step, span), Collectors.averagingDouble(Span::cpu)),
                means -> samples -> means.getOrDefault(samples, 0.0)));
  }

  private static int samples(MeasuredStep step, Span span) {
    return span.operation() == Operation.LOOK_AHEAD
        ? step.schedule().ahead().get(span.index())
        : step.schedule().sizes().get(span.index());
  }
}
