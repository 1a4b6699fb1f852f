package org.maskedkd.coordinator;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.ClockRequest;
import org.maskedkd.proto.v1.EvaluateProgress;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.StudentGrpc;
import org.maskedkd.proto.v1.StudentOpened;
import org.maskedkd.proto.v1.WhereReply;
import org.maskedkd.proto.v1.WhereRequest;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Failures;
import org.maskedkd.runtime.MessageLimits;
import org.maskedkd.runtime.RunException;

/**
 * The connection to the student. Events are taken one by one with {@link #next}; while the run
 * waits for one, the event loop goes on, so teachers are heard meanwhile. Event loop only.
 */
final class StudentLink implements AutoCloseable {

  // Opening reads the weights and walks the data set.
  private static final long OPEN_MINUTES = 60;
  private static final long WHERE_SECONDS = 60;

  private final EventLoop loop;
  private final Peer peer;
  private final Patience patience;
  private final Deque<StudentEvent> events = new ArrayDeque<>();
  private final ClockSync clock;
  private final RandomGenerator jitter;
  private @Nullable DuplexStream<StudentCommand, StudentEvent> stream;
  private @Nullable StudentLostException lost;

  /** Since when the run waits for the student; the largest value while it does not. */
  private long awaitedSince = Long.MAX_VALUE;

  private int limit = MessageLimits.REQUEST_BYTES;

  /** It has answered once, so that it is a student. */
  private boolean known;

  StudentLink(EventLoop loop, Peer peer, Patience patience) {
    this.loop = loop;
    this.peer = peer;
    this.patience = patience;
    this.jitter = new Random(peer.name().hashCode());
    this.clock =
        new ClockSync(
            loop,
            reply ->
                StudentGrpc.newStub(peer.channel())
                    .withExecutor(loop)
                    .withDeadlineAfter(WHERE_SECONDS, TimeUnit.SECONDS)
                    .clock(ClockRequest.getDefaultInstance(), reply));
  }

  ClockSync clock() {
    return clock;
  }

  String name() {
    return peer.name();
  }

  /**
   * Opens the run, trying again while the stage is not there.
   *
   * @throws RunException with {@link ExitCode#PEER_AWAY} once patience is over
   */
  StudentOpened open(OpenStudent request) {
    long began = loop.nanoTime();
    for (int failures = 1; ; failures++) {
      try {
        StudentOpened opened =
            await(
                reply ->
                    StudentGrpc.newStub(peer.channel())
                        .withExecutor(loop)
                        .withDeadlineAfter(OPEN_MINUTES, TimeUnit.MINUTES)
                        .open(request, reply));
        limit = MessageLimits.agree(opened.getMaxMessageBytes(), name());
        return opened;
      } catch (StudentLostException e) {
        if (loop.nanoTime() - began >= patience.student().toNanos()) {
          throw e.why();
        }
        loop.pause(patience.backoff(failures, jitter));
        peer.channel().resetConnectBackoff();
      }
    }
  }

  WhereReply where(String run) {
    return await(
        reply ->
            StudentGrpc.newStub(peer.channel())
                .withExecutor(loop)
                .withDeadlineAfter(WHERE_SECONDS, TimeUnit.SECONDS)
                .where(WhereRequest.newBuilder().setRun(run).build(), reply));
  }

  private <R> R await(Consumer<Reply<R>> call) {
    Outcome<R> outcome = new Outcome<>();
    call.accept(new Reply<>(loop, r -> outcome.value = r, t -> outcome.failure = t));
    loop.runUntil(() -> outcome.value != null || outcome.failure != null);
    if (outcome.failure != null) {
      throw failed(outcome.failure);
    }
    known = true;
    return Objects.requireNonNull(outcome.value);
  }

  /** What cannot be reached may come back; every other failure is final. */
  private RuntimeException failed(Throwable t) {
    RunException why = known ? Failures.fromKnown(t, name()) : Failures.fromStatus(t, name());
    return why.exitCode() == ExitCode.PEER_AWAY ? new StudentLostException(why) : why;
  }

  private static final class Outcome<R> {
    @Nullable R value;
    @Nullable Throwable failure;
  }

  /** Opens the stream of commands and events; an earlier one is over. */
  void start() {
    close();
    events.clear();
    lost = null;
    awaitedSince = Long.MAX_VALUE;
    stream =
        new DuplexStream<>(
            loop,
            limit,
            events::add,
            t -> {
              RuntimeException why = failed(t);
              if (!(why instanceof StudentLostException gone)) {
                throw why;
              }
              lost = gone;
            });
    StudentGrpc.newStub(peer.channel()).withExecutor(loop).train(stream);
    checkSilence(stream);
    clock.begin();
  }

  void send(StudentCommand command) {
    Objects.requireNonNull(stream, "stream not started").send(command);
  }

  /** Lets everything that was sent leave, to whomever, before work that takes a while. */
  void flush() {
    loop.flush();
  }

  /**
   * The next event, waited for.
   *
   * @throws StudentLostException when the stream has ended
   */
  StudentEvent next() {
    awaitedSince = loop.nanoTime();
    loop.runUntil(() -> !events.isEmpty() || lost != null);
    awaitedSince = Long.MAX_VALUE;
    if (lost != null) {
      throw lost;
    }
    return events.remove();
  }

  /**
   * Gives up a student that is there, as far as its system tells, but says nothing. One timer for a
   * stream: one for each event would have to be thrown away with each event.
   */
  private void checkSilence(Object ofStream) {
    if (stream != ofStream || lost != null) {
      return;
    }
    Duration patient = patience.studentSilence();
    Duration left =
        awaitedSince == Long.MAX_VALUE
            ? patient
            : patient.minusNanos(loop.nanoTime() - awaitedSince);
    if (left.toMillis() > 0) {
      loop.schedule(left, () -> checkSilence(ofStream));
      return;
    }
    lost =
        new StudentLostException(
            new RunException(
                ExitCode.PEER_AWAY,
                "%s has said nothing for %.1f s".formatted(name(), patient.toMillis() / 1e3)));
  }

  /**
   * The next event of this kind, between steps. Late frames of a probe or step are dropped.
   *
   * @param progress gets how far an evaluation is
   */
  StudentEvent expect(StudentEvent.EventCase expected, Consumer<EvaluateProgress> progress) {
    while (true) {
      StudentEvent event = next();
      StudentEvent.EventCase found = event.getEventCase();
      if (found == expected) {
        return event;
      }
      switch (found) {
        case EVALUATE_PROGRESS -> progress.accept(event.getEvaluateProgress());
        case FORWARDED -> {}
        case STEP_FAILED ->
            throw new RunException(
                ExitCode.INTERNAL, name() + " failed: " + event.getStepFailed().getReason());
        case OFFERED,
            STEP_DONE,
            PROBE_DONE,
            EVALUATED,
            CHECKPOINTED,
            RESTORED,
            EXPORTED,
            PROFILED,
            EVENT_NOT_SET ->
            throw new RunException(
                ExitCode.INTERNAL, name() + " sent " + found + ", expected " + expected);
      }
    }
  }

  @Override
  public void close() {
    if (stream != null) {
      stream.cancel("the run is over");
    }
  }
}
