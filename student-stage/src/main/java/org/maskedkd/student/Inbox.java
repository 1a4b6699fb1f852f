package org.maskedkd.student;

import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.Turns;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.runtime.TensorFrames.NamedTensor;

/**
 * Between the network's thread, which fills it, and the training thread. Commands wait their turn;
 * gradients overtake them, since the step that is running needs them.
 */
final class Inbox {
  /** What came with one micro-batch's Backward, by name and not yet checked. */
  record Gradient(Map<String, NamedTensor> tensors, LossParts loss) {
    long bytes() {
      return tensors.values().stream().mapToLong(tensor -> tensor.bytes().remaining()).sum();
    }
  }

  /** A coordinator has one plan ahead, and between steps waits for each answer. */
  private static final int MOST_WAITING = 16;

  private static final long MOST_WAITING_BYTES = 4L << 20;

  private record StepId(String run, int attempt, long step) {}

  private final Turns turns;
  private final Queue<StudentCommand> commands = new ArrayDeque<>();
  private final Map<Integer, Gradient> gradients = new HashMap<>();

  /** Micro-batches whose gradient was taken. */
  private final BitSet taken = new BitSet();

  private long gradientBytes;
  private long mostGradientBytes;
  private @Nullable StepId current;
  private int microBatches;
  private long waitingBytes;
  private boolean closed;

  /**
   * @param turns of the training thread and those that make its batches
   */
  Inbox(Turns turns) {
    this.turns = turns;
  }

  /**
   * @throws IllegalArgumentException if more commands wait than a coordinator has reason to send
   */
  synchronized void command(StudentCommand command) {
    if (closed) {
      return;
    }
    waitingBytes += command.getSerializedSize();
    if (commands.size() == MOST_WAITING || waitingBytes > MOST_WAITING_BYTES) {
      throw new IllegalArgumentException(
          "%d commands of %d bytes would wait; at most %d of %d bytes may"
              .formatted(commands.size() + 1, waitingBytes, MOST_WAITING, MOST_WAITING_BYTES));
    }
    commands.add(command);
    notifyAll();
  }

  /**
   * Keeps the gradient if it belongs to the step that is running; drops it otherwise, as stale.
   *
   * @throws IllegalArgumentException if the step has no such micro-batch
   */
  synchronized boolean gradient(MicroBatchKey key, Gradient gradient) {
    if (!new StepId(key.getRun(), key.getAttempt(), key.getStep()).equals(current)) {
      return false;
    }
    if (key.getIndex() < 0 || key.getIndex() >= microBatches) {
      throw new IllegalArgumentException(
          "a gradient of micro-batch %d; step %d has %d of them"
              .formatted(key.getIndex(), key.getStep(), microBatches));
    }
    int index = key.getIndex();
    if (taken.get(index) || gradients.containsKey(index)) {
      return false;
    }
    long bytes = gradient.bytes();
    if (bytes > mostGradientBytes - gradientBytes) {
      throw new IllegalArgumentException(
          "gradients of %d bytes would wait for their backward, with the teachers' features; this student takes %d of a step: lower schedule.window, or start it with a larger -Xmx"
              .formatted(gradientBytes + bytes, mostGradientBytes));
    }
    gradients.put(index, gradient);
    gradientBytes += bytes;
    notifyAll();
    return true;
  }

  /** The stream is gone: whoever waits here is released. */
  synchronized void close() {
    closed = true;
    commands.clear();
    notifyAll();
  }

  /** The next command, or null once the stream is gone. */
  synchronized @Nullable StudentCommand take() throws InterruptedException {
    waitUntil(() -> !commands.isEmpty());
    if (closed) {
      return null;
    }
    StudentCommand next = commands.remove();
    waitingBytes -= next.getSerializedSize();
    return next;
  }

  /** Whether the stream is gone, so that nobody waits for what is being done. */
  synchronized boolean isClosed() {
    return closed;
  }

  /**
   * From now on gradients of this step are kept.
   *
   * @param count micro-batches that it has
   * @param mostBytes that its gradients may have while they wait
   */
  synchronized void beginStep(String run, int attempt, long step, int count, long mostBytes) {
    forget();
    current = new StepId(run, attempt, step);
    microBatches = count;
    mostGradientBytes = mostBytes;
  }

  synchronized void endStep() {
    forget();
    current = null;
  }

  private void forget() {
    gradients.clear();
    taken.clear();
    gradientBytes = 0;
  }

  /** Waits until a micro-batch's gradient is there. */
  synchronized void await(int index) throws StepAbandonedException, InterruptedException {
    waitUntil(() -> gradients.containsKey(index));
    if (closed || !gradients.containsKey(index)) {
      throw new StepAbandonedException("the coordinator's stream ended");
    }
  }

  /** Takes a micro-batch's gradient out, waited for. */
  synchronized Gradient take(int index) throws StepAbandonedException, InterruptedException {
    await(index);
    Gradient gradient = Objects.requireNonNull(gradients.remove(index));
    taken.set(index);
    gradientBytes -= gradient.bytes();
    return gradient;
  }

  /** Or until the stream is gone. */
  private synchronized void waitUntil(BooleanSupplier there) throws InterruptedException {
    if (!there.getAsBoolean() && !closed) {
      turns.during(
          () -> {
            while (!there.getAsBoolean() && !closed) {
              wait();
            }
            return closed;
          });
    }
  }
}
