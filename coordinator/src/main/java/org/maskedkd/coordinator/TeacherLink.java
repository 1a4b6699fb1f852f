package org.maskedkd.coordinator;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.ClockRequest;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherProfiled;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Failures;
import org.maskedkd.runtime.MessageLimits;
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
    /** The deadline is over; others have its work, but an answer still counts. */
    LATE,
    /** The stream is open; the teacher finishes what it has and gets nothing more. */
    DRAINING,
    /** The last try failed; a timer will begin the next. */
    AWAY,
    /** The run is over, or the teacher is no longer one of its. */
    CLOSED
  }

  /** What the pool wants to know. */
  interface Listener {
    /**
     * The handshake went well.
     *
     * @throws RunException what does not fit
     */
    void opened(TeacherLink link, TeacherOpened opened);

    /** It does not fit, or says so itself; throws where that is to end the run. */
    void refused(TeacherLink link, RunException why);

    void ready(TeacherLink link);

    /** It has let the deadline pass; {@code work} is what it had, and may still answer. */
    void late(TeacherLink link, List<MaskedWork> work, RunException why);

    /** It takes no more work. */
    void draining(TeacherLink link, String why);

    /**
     * The connection is gone, and with it the work, which comes back here.
     *
     * @param late whether {@link #late} was called before
     * @param lost whether there was a connection, and nobody had said that it would end
     */
    void away(
        TeacherLink link, List<MaskedWork> work, RunException why, boolean late, boolean lost);

    /** It has left for good. */
    void closed(TeacherLink link);

    void answered(TeacherLink link, TeacherAnswer answer);

    /** A signal that no micro-batch waits for. */
    void unexpected(MicroBatchKey key);
  }

  private static final long OPEN_MINUTES = 10;

  private final EventLoop loop;
  private final Peer peer;
  private final int place;
  private final OpenTeacher request;
  private final Patience patience;
  private final Listener listener;
  private final RandomGenerator jitter;
  private final ClockSync clock;
  private final Map<MicroBatchKey, MaskedWork> assigned = new LinkedHashMap<>();
  private final Map<MicroBatchKey, TensorFrames.Assembler> arriving = new LinkedHashMap<>();
  private final AnswerDeadline deadline;
  private TeacherPace pace = new TeacherPace();
  private State state = State.AWAY;
  private int failures;
  private ModelInfo model = ModelInfo.getDefaultInstance();

  /** It has answered once, so that it is a teacher. */
  private boolean known;

  private boolean leaving;
  private boolean announced;
  private @Nullable RunException lastFailure;
  private @Nullable DuplexStream<MaskedMicroBatch, TeacherSignal> stream;

  /**
   * @param place its own in the pool, from 0 on
   */
  TeacherLink(
      EventLoop loop,
      int place,
      Peer peer,
      OpenTeacher request,
      Patience patience,
      Listener listener) {
    this.loop = loop;
    this.place = place;
    this.peer = peer;
    this.request = request;
    this.patience = patience;
    this.listener = listener;
    this.deadline = new AnswerDeadline(loop, patience);
    this.jitter = new Random(31L * request.getRun().hashCode() + place);
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

  /** Whether it works on what it has, and an answer can be expected in time. */
  boolean works() {
    return state == State.READY || state == State.DRAINING;
  }

  int place() {
    return place;
  }

  Peer peer() {
    return peer;
  }

  String name() {
    return peer.name();
  }

  int load() {
    return assigned.size();
  }

  boolean has(MicroBatchKey key) {
    return assigned.containsKey(key);
  }

  /** What it has, the one it works on first. */
  List<MaskedWork> work() {
    return List.copyOf(assigned.values());
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
      sum += running ? Math.abs(expected - deadline.workedSeconds()) : expected;
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

  /** What it may take to answer. */
  AnswerDeadline deadline() {
    return deadline;
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
    announced = false;
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
    known = true;
    try {
      listener.opened(this, opened);
    } catch (RunException e) {
      refused(e);
      return;
    }
    model = opened.getModel();
    int limit = MessageLimits.agree(opened.getMaxMessageBytes(), name());
    stream = new DuplexStream<>(loop, limit, this::signal, this::streamFailed);
    TeacherGrpc.newStub(peer.channel()).withExecutor(loop).supervise(stream);
    state = State.READY;
    pace = new TeacherPace();
    clock.begin();
    listener.ready(this);
  }

  private void openFailed(Throwable t) {
    if (state != State.CONNECTING) {
      return;
    }
    RunException why = known ? Failures.fromKnown(t, name()) : Failures.fromStatus(t, name());
    if (why.exitCode() == ExitCode.PEER_AWAY) {
      goAway(why);
    } else {
      refused(why);
    }
  }

  private void refused(RunException why) {
    listener.refused(this, why);
    lastFailure = why;
    state = State.AWAY;
    loop.schedule(patience.afterRefusal(), this::connect);
  }

  private void streamFailed(Throwable t) {
    RunException why = Failures.fromKnown(t, name());
    if (why.exitCode() != ExitCode.PEER_AWAY && why.exitCode() != ExitCode.INTERNAL) {
      throw why;
    }
    goAway(why);
  }

  private void goAway(RunException why) {
    if (state == State.CLOSED) {
      return;
    }
    boolean wasLate = state == State.LATE;
    boolean lost = stream != null && !leaving && !announced;
    lastFailure = why;
    failures++;
    List<MaskedWork> work = work();
    end("given up");
    if (leaving) {
      state = State.CLOSED;
    } else {
      state = State.AWAY;
      loop.schedule(patience.backoff(failures, jitter), this::connect);
    }
    listener.away(this, work, why, wasLate, lost);
    if (leaving) {
      listener.closed(this);
    }
  }

  /** Hands over a micro-batch; the state must be READY. */
  void assign(MaskedWork work) {
    if (assigned.isEmpty()) {
      deadline.restart();
    }
    assigned.put(work.key(), work);
    for (MaskedMicroBatch frame : work.frames()) {
      if (stream != null) {
        stream.send(frame);
      }
    }
  }

  private void signal(TeacherSignal signal) {
    if (signal.getDraining()) {
      announced = true;
      drain(name() + " is shutting down");
      return;
    }
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
      SignalShape shape = new SignalShape(work, model);
      TensorFrames.Assembler assembler =
          arriving.computeIfAbsent(work.key(), k -> new TensorFrames.Assembler(shape.bytes()));
      signal.getTensorsList().forEach(assembler::add);
      if (signal.getLast()) {
        arriving.remove(work.key());
        finished(shape.answer(place, assembler, signal.getSpan()));
      }
    } catch (IllegalArgumentException e) {
      throw new RunException(
          ExitCode.INTERNAL,
          name() + " answered " + Keys.describe(work.key()) + " wrongly: " + e.getMessage(),
          e);
    }
  }

  private void finished(TeacherAnswer answer) {
    failures = 0;
    MaskedWork work = assigned.remove(answer.key());
    if (work != null) {
      long took = answer.span().getEndNanos() - answer.span().getStartNanos();
      pace.answered(took / 1e9, work.samples());
      deadline.answered(work.samples());
    }
    if (state == State.LATE) {
      state = leaving || announced ? State.DRAINING : State.READY;
    }
    listener.answered(this, answer);
    endIfDrained();
  }

  /**
   * Looks whether the teacher answers in time. Once the deadline is over, what it has goes back; if
   * it stays silent for as long again, so does the connection.
   */
  void checkDeadline() {
    if (assigned.isEmpty() || !(works() || state == State.LATE)) {
      return;
    }
    long allowed = deadline.allowedNanos(assigned.values().iterator().next().samples());
    long waited = deadline.waitedNanos();
    if (works() && waited > allowed) {
      RunException why =
          new RunException(
              ExitCode.PEER_AWAY,
              String.format(
                  "%s has answered nothing for %.1f s, of %.1f s allowed",
                  name(), waited / 1e9, allowed / 1e9));
      lastFailure = why;
      deadline.missed(allowed);
      state = State.LATE;
      listener.late(this, work(), why);
    } else if (state == State.LATE && lastFailure != null && deadline.over()) {
      goAway(lastFailure);
    }
  }

  /** Gives it no more work; once it has answered what it has, the connection is closed. */
  private void drain(String why) {
    if (state == State.READY) {
      state = State.DRAINING;
      listener.draining(this, why);
      endIfDrained();
    }
  }

  /** It is no longer one of the run's teachers: drains, then closes for good. */
  void leave(String why) {
    if (leaving) {
      return;
    }
    leaving = true;
    switch (state) {
      case READY -> drain(why);
      case LATE, DRAINING -> {}
      case CONNECTING, AWAY -> {
        close();
        listener.closed(this);
      }
      case CLOSED -> {}
    }
  }

  /** Takes {@link #leave} back. */
  void stay() {
    if (leaving && state != State.CLOSED) {
      leaving = false;
      if (state == State.DRAINING && !announced) {
        state = State.READY;
        listener.ready(this);
      }
    }
  }

  private void endIfDrained() {
    if (state == State.DRAINING && assigned.isEmpty()) {
      goAway(new RunException(ExitCode.PEER_AWAY, name() + " is shutting down"));
    }
  }

  void close() {
    state = State.CLOSED;
    end("the run is over");
  }

  private void end(String reason) {
    if (stream != null) {
      stream.cancel(reason);
      stream = null;
    }
    arriving.clear();
    assigned.clear();
  }
}
