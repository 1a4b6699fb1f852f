package org.maskedkd.coordinator;

import java.util.HashSet;
import java.util.Set;
import java.util.function.Consumer;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Probe;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/** Evaluation images that the student runs forward, and what a teacher would see of them. */
final class ProbePass {

  private ProbePass() {}

  /**
   * Sends the probe and returns once the student is through with it; what comes twice is dropped.
   * Event loop only, between steps.
   *
   * @param purpose of the probe, for messages
   * @param each gets every micro-batch, in order
   */
  static void run(
      StudentLink student,
      ForwardedInbox inbox,
      Probe probe,
      String purpose,
      Consumer<ForwardedBatch> each) {
    student.send(StudentCommand.newBuilder().setProbe(probe).build());
    Set<Integer> whole = new HashSet<>();
    boolean done = false;
    while (!done) {
      StudentEvent event = student.next();
      switch (event.getEventCase()) {
        case FORWARDED -> {
          Forwarded frame = event.getForwarded();
          MicroBatchKey key = frame.getKey();
          boolean ours = key.getStep() == 0 && key.getAttempt() == probe.getAttempt();
          ForwardedBatch micro =
              ours && !whole.contains(key.getIndex())
                  ? inbox.add(frame, probe.getMicroBatch(), true)
                  : null;
          if (micro != null) {
            whole.add(key.getIndex());
            each.accept(micro);
          }
        }
        case PROBE_DONE -> done = event.getProbeDone().getAttempt() == probe.getAttempt();
        case STEP_FAILED ->
            throw new RunException(
                ExitCode.INTERNAL,
                purpose + " failed in the student: " + event.getStepFailed().getReason());
        case STEP_DONE,
            EVALUATE_PROGRESS,
            EVALUATED,
            CHECKPOINTED,
            RESTORED,
            EXPORTED,
            OFFERED,
            PROFILED,
            EVENT_NOT_SET ->
            throw new RunException(
                ExitCode.INTERNAL,
                student.name() + " sent " + event.getEventCase() + " in " + purpose);
      }
    }
  }
}
