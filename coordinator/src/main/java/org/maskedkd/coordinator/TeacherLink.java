package org.maskedkd.coordinator;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.ClockRequest;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherProfiled;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Failures;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.TensorFrames;

/** One teacher of the pool: its connection, and the micro-batches it has. Event loop only. */
final class TeacherLink {

  /** Where the connection stands. */
  enum State {
    /** The handshake is under way. */
    CONNECTING,
    /** The stream is open; the teacher takes work. */
    READY,
    /** The last try failed; a timer will begin the next. */
    AWAY,
    /** The run is over. */
    CLOSED
  }

  /** What the pool wants to know. */
  interface Listener {
    /** The handshake went well; throws what does not fit. */
    void opened(TeacherLink link, TeacherOpened opened);

    void ready(TeacherLink link);

    /** The connection is gone, and with it the work, which comes back here. */
    void away(TeacherLink link, List<MaskedWork> work, RunException why);

    void answered(TeacherLink link, TeacherAnswer answer);

    /** A signal that no micro-batch waits for. */
    void unexpected(MicroBatchKey key);
  }

  private static final long OPEN_MINUTES = 10;

  private final EventLoop loop;
  private final Peer peer;
  private final int index;
  private final OpenTeacher request;
  private final Patience patience;
  private final Listener listener;
  private final ClockSync clock;
  private final Map<MicroBatchKey, MaskedWork> assigned = new LinkedHashMap<>();
  private final Map<MicroBatchKey, TensorFrames.Assembler> arriving = new LinkedHashMap<>();
  private TeacherPace pace = new TeacherPace();
  private State state = State.AWAY;
  private int failures;
  private int classes;
  private long progressNanos;
  private long slowestNanos;
  private @Nullable RunException lastFailure;
  private @Nullable DuplexStream<MaskedMicroBatch, TeacherSignal> stream;

  /**
   * @param index its place in the pool, from 0 on
   */
  TeacherLink(
      EventLoop loop,
      int index,
      Peer peer,
      OpenTeacher request,
      Patience patience,
      Listener listener) {
    this.loop = loop;
    this.index = index;
    this.peer = peer;
    this.request = request;
    this.patience = patience;
    this.listener = listener;
    this.clock =
        new ClockSync(
            loop,
            reply ->
                TeacherGrpc.newStub(peer.channel())
                    .withExecutor(loop)
                    .withDeadlineAfter(OPEN_MINUTES, TimeUnit.MINUTES)
                    .clock(ClockRequest.getDefaultInstance(), reply));
  }

  ClockSync clock() {
    return clock;
  }

  /** Asks the teacher, whose state must be READY, to time itself. */
  void profile(ProfileTeacher request, Reply<TeacherProfiled> reply) {
    TeacherGrpc.newStub(peer.channel())
        .withExecutor(loop)
        .withDeadlineAfter(OPEN_MINUTES, TimeUnit.MINUTES)
        .profile(request, reply);
  }

  State state() {
    return state;
  }

  String name() {
    return peer.name();
  }

  int load() {
    return assigned.size();
  }

  /** What a sample takes it, from the answers on this connection; NaN before the first. */
  double secondsPerSample() {
    return pace.secondsPerSample();
  }

  /**
   * Until it is done with all it has, if a sample takes it so long. By how much the one it works on
   * is late, so much longer it is expected to take.
   */
  double remainingSeconds(double secondsPerSample) {
    double sum = 0;
    boolean running = true;
    for (MaskedWork work : assigned.values()) {
      double expected = work.samples() * secondsPerSample;
      sum += running ? Math.abs(expected - (loop.nanoTime() - progressNanos) / 1e9) : expected;
      running = false;
    }
    return sum;
  }

  /** To be called between steps. */
  void stepEnded() {
    pace.stepEnded();
  }

  /** Connections lost or tried in vain since the last answer. */
  int failures() {
    return failures;
  }

  /** Why the last connection ended, or null if none ever did. */
  @Nullable RunException lastFailure() {
    return lastFailure;
  }

  void connect() {
    if (state == State.CLOSED) {
      return;
    }
    state = State.CONNECTING;
    // gRPC's own pause after a failure may be minutes; ours decides.
    peer.channel().resetConnectBackoff();
    TeacherGrpc.newStub(peer.channel())
        .withExecutor(loop)
        .withDeadlineAfter(OPEN_MINUTES, TimeUnit.MINUTES)
        .open(request, new Reply<>(loop, this::opened, this::openFailed));
  }

  private void opened(TeacherOpened opened) {
    if (state != State.CONNECTING) {
      return;
    }
    listener.opened(this, opened);
    classes = opened.getModel().getClasses();
    stream = new DuplexStream<>(loop, this::signal, this::streamFailed);
    TeacherGrpc.newStub(peer.channel()).withExecutor(loop).supervise(stream);
    state = State.READY;
    pace = new TeacherPace();
    clock.begin();
    listener.ready(this);
  }

  private void openFailed(Throwable t) {
    RunException why = Failures.fromStatus(t, name());
    if (why.exitCode() != ExitCode.PEER_AWAY) {
      throw why;
    }
    goAway(why);
  }

  private void streamFailed(Throwable t) {
    RunException why = Failures.fromStatus(t, name());
    if (why.exitCode() != ExitCode.PEER_AWAY && why.exitCode() != ExitCode.INTERNAL) {
      throw why;
    }
    goAway(why);
  }

  private void goAway(RunException why) {
    if (state == State.CLOSED) {
      return;
    }
    state = State.AWAY;
    lastFailure = why;
    failures++;
    if (stream != null) {
      stream.cancel("given up");
      stream = null;
    }
    arriving.clear();
    List<MaskedWork> work = new ArrayList<>(assigned.values());
    assigned.clear();
    loop.schedule(patience.backoff(failures), this::connect);
    listener.away(this, work, why);
  }

  /** Hands over a micro-batch; the state must be READY. */
  void assign(MaskedWork work) {
    if (assigned.isEmpty()) {
      progressNanos = loop.nanoTime();
    }
    assigned.put(work.key(), work);
    for (MaskedMicroBatch frame : work.frames()) {
      if (stream != null) {
        stream.send(frame);
      }
    }
  }

  private void signal(TeacherSignal signal) {
    MaskedWork work = assigned.get(signal.getKey());
    if (work == null) {
      if (signal.getLast() || !signal.getRefused().isEmpty()) {
        listener.unexpected(signal.getKey());
      }
      return;
    }
    if (!signal.getRefused().isEmpty()) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          name() + " refused " + Keys.describe(signal.getKey()) + ": " + signal.getRefused());
    }
    try {
      TensorFrames.Assembler assembler =
          arriving.computeIfAbsent(
              work.key(),
              k -> new TensorFrames.Assembler((long) work.samples() * classes * Float.BYTES));
      signal.getTensorsList().forEach(assembler::add);
      if (signal.getLast()) {
        arriving.remove(work.key());
        float[] logits = Tensors.floats(assembler.finish(), "logits", work.samples(), classes);
        finished(new TeacherAnswer(work.key(), index, logits, signal.getSpan()));
      }
    } catch (IllegalArgumentException e) {
      throw new RunException(
          ExitCode.INTERNAL,
          name() + " answered " + Keys.describe(work.key()) + " wrongly: " + e.getMessage(),
          e);
    }
  }

  private void finished(TeacherAnswer answer) {
    long now = loop.nanoTime();
    slowestNanos = Math.max(slowestNanos, now - progressNanos);
    progressNanos = now;
    failures = 0;
    MaskedWork work = assigned.remove(answer.key());
    if (work != null) {
      long took = answer.span().getEndNanos() - answer.span().getStartNanos();
      pace.answered(took / 1e9, work.samples());
    }
    listener.answered(this, answer);
  }

  /** Gives the teacher up when it has had work for too long without an answer. */
  void checkStalled() {
    if (state != State.READY || assigned.isEmpty()) {
      return;
    }
    long allowed =
        slowestNanos == 0
            ? patience.firstAnswer().toNanos()
            : Math.max(patience.laterAnswer().toNanos(), 10 * slowestNanos);
    long waited = loop.nanoTime() - progressNanos;
    if (waited > allowed) {
      goAway(
          new RunException(
              ExitCode.PEER_AWAY,
              String.format(
                  "%s has answered nothing for %.1f s, of %.1f s allowed",
                  name(), waited / 1e9, allowed / 1e9)));
    }
  }

  void close() {
    state = State.CLOSED;
    if (stream != null) {
      stream.cancel("the run is over");
      stream = null;
    }
  }
}
