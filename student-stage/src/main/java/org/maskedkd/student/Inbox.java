package org.maskedkd.student;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.runtime.TensorFrames.NamedTensor;

/**
 * Between the network's thread, which fills it, and the training thread. Commands wait their turn;
 * gradients overtake them, since the step that is running needs them.
 */
final class Inbox {
  /** The loss gradient of one micro-batch with respect to its logits. */
  record Gradient(NamedTensor logitsGradient, LossParts loss) {}

  private record StepId(String run, int attempt, long step) {}

  private final Queue<StudentCommand> commands = new ArrayDeque<>();
  private final Map<Integer, Gradient> gradients = new HashMap<>();
  private @Nullable StepId current;
  private boolean closed;

  synchronized void command(StudentCommand command) {
    commands.add(command);
    notifyAll();
  }

  /** Keeps the gradient if it belongs to the step that is running; drops it otherwise, as stale. */
  synchronized boolean gradient(MicroBatchKey key, Gradient gradient) {
    if (!new StepId(key.getRun(), key.getAttempt(), key.getStep()).equals(current)) {
      return false;
    }
    boolean first = gradients.putIfAbsent(key.getIndex(), gradient) == null;
    notifyAll();
    return first;
  }

  /** The stream is gone: whoever waits here is released. */
  synchronized void close() {
    closed = true;
    notifyAll();
  }

  /** The next command, or null once the stream is gone. */
  synchronized @Nullable StudentCommand take() throws InterruptedException {
    while (commands.isEmpty() && !closed) {
      wait();
    }
    return closed ? null : commands.remove();
  }

  synchronized void beginStep(String run, int attempt, long step) {
    current = new StepId(run, attempt, step);
    gradients.clear();
  }

  synchronized void endStep() {
    current = null;
    gradients.clear();
  }

  synchronized Gradient await(int index) throws StepAbandonedException, InterruptedException {
    while (true) {
      if (closed) {
        throw new StepAbandonedException("the coordinator's stream ended");
      }
      Gradient gradient = gradients.get(index);
      if (gradient != null) {
        return gradient;
      }
      wait();
    }
  }
}
