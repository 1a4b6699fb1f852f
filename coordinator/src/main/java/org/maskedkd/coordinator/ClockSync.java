package org.maskedkd.coordinator;

import io.grpc.stub.StreamObserver;
import java.util.function.Consumer;
import org.maskedkd.proto.v1.ClockReply;
import org.maskedkd.runtime.ClockOffset;

/** Keeps the offset of a stage's clock by asking it now and then. Event loop only. */
final class ClockSync {

  /** As many also run the calls' code often enough to be compiled before the first step. */
  private static final int FIRST_ROUNDS = 256;

  private final EventLoop loop;
  private final Consumer<StreamObserver<ClockReply>> call;
  private ClockOffset offset = new ClockOffset();

  /**
   * @param call asks the stage
   */
  ClockSync(EventLoop loop, Consumer<StreamObserver<ClockReply>> call) {
    this.loop = loop;
    this.call = call;
  }

  ClockOffset offset() {
    return offset;
  }

  /** Begins anew, as for a process that was started again, with some round trips in a row. */
  void begin() {
    offset = new ClockOffset();
    ask(FIRST_ROUNDS);
  }

  /** One more round trip, unless it fails. */
  void ask() {
    ask(1);
  }

  private void ask(int rounds) {
    ClockOffset current = offset;
    long sent = loop.nanoTime();
    call.accept(
        new Reply<>(
            loop,
            reply -> {
              current.sample(sent, reply.getNanos(), loop.nanoTime());
              if (rounds > 1 && current == offset) {
                ask(rounds - 1);
              }
            },
            // Whoever waits for this stage hears of its failure; a drawing does without.
            failure -> {}));
  }
}
