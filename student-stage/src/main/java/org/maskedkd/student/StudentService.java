package org.maskedkd.student;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.DataException;
import org.maskedkd.data.Turns;
import org.maskedkd.proto.v1.Backward;
import org.maskedkd.proto.v1.ClockReply;
import org.maskedkd.proto.v1.ClockRequest;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.ShutdownReply;
import org.maskedkd.proto.v1.ShutdownRequest;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.StudentGrpc;
import org.maskedkd.proto.v1.StudentOpened;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.proto.v1.WhereReply;
import org.maskedkd.proto.v1.WhereRequest;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Failures;
import org.maskedkd.runtime.LogContext;
import org.maskedkd.runtime.MessageLimits;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.Outbox;
import org.maskedkd.runtime.Quote;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.TensorFrames;
import org.maskedkd.runtime.TensorFrames.NamedTensor;
import org.maskedkd.vit.WeightsException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The student's side of the contract: one run at a time, on one training thread. The network's
 * threads only take messages apart and hand them over.
 */
final class StudentService extends StudentGrpc.StudentImplBase {
  private static final Logger log = LoggerFactory.getLogger(StudentService.class);

  /** What an answer to Where takes besides its records. */
  private static final int WHERE_BYTES = 1024;

  /** What may wait for a coordinator that reads slowly before the next command is begun. */
  static final long MOST_UNREAD_BYTES = 16L << 20;

  private final StudentOptions options;
  private final ExecutorService training;
  private final Metrics metrics;
  private final Runnable shutdown;

  /** The open run, or null. Written by the training thread, read by the network's. */
  private volatile @Nullable StudentRun open;

  /** What the coordinator of the open run accepts. */
  private volatile int answerBytes = MessageLimits.ANSWER_BYTES;

  private volatile boolean draining;

  private final Turns turns = Turns.ofThisProcess();

  /** The last stream that was opened. */
  private volatile @Nullable TrainStream active;

  StudentService(
      StudentOptions options, ExecutorService training, Metrics metrics, Runnable shutdown) {
    this.options = options;
    this.training = training;
    this.metrics = metrics;
    this.shutdown = shutdown;
  }

  @Override
  public void open(OpenStudent request, StreamObserver<StudentOpened> response) {
    TrainStream stream = active;
    StudentRun current = open;
    if (stream != null && current != null && !stream.ended) {
      response.onError(
          Failures.toStatus(
              new RunException(
                  ExitCode.PEER_AWAY,
                  "this student is in the midst of run %s, which another coordinator leads; run %s can have it afterwards"
                      .formatted(current.name(), request.getRun()))));
      return;
    }
    ServerCallStreamObserver<StudentOpened> call =
        (ServerCallStreamObserver<StudentOpened>) response;
    // Without it gRPC throws at whoever answers a call that was given up.
    call.setOnCancelHandler(() -> log.info("a coordinator gave up opening a run"));
    int limit;
    try {
      if (draining) {
        throw new RunException(ExitCode.PEER_AWAY, "this student is shutting down");
      }
      requireVersion(request);
      limit = MessageLimits.agree(request.getMaxMessageBytes(), "the coordinator");
      // Before the run that is open makes place.
      OpenCheck.check(request, options.dataRoot());
    } catch (IllegalArgumentException | RunException | WeightsException | DataException e) {
      log.warn(
          "refused run {}: {}",
          Quote.of(request.getRun()),
          Quote.line(String.valueOf(e.getMessage())));
      response.onError(Failures.toStatus(Categories.of(e)));
      return;
    }
    training.execute(
        () -> {
          if (call.isCancelled()) {
            return;
          }
          try {
            StudentOpened opened = open(request);
            answerBytes = limit;
            response.onNext(opened);
            response.onCompleted();
          } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            // Whatever went wrong must not leave the coordinator waiting for an answer.
            Throwable known = Categories.of(e);
            if (known instanceof RunException) {
              log.warn(
                  "run {} could not be opened: {}",
                  Quote.of(request.getRun()),
                  Quote.line(String.valueOf(known.getMessage())));
            } else {
              log.error("run {} could not be opened", Quote.of(request.getRun()), e);
            }
            if (open == null) {
              LogContext.run(null);
            }
            response.onError(Failures.toStatus(known));
          }
        });
  }

  private static void requireVersion(OpenStudent request) {
    if (request.getProtocolVersion() != Protocol.PROTOCOL_VERSION_VALUE) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          "this student speaks protocol version %d, the coordinator speaks %d: run the same release everywhere"
              .formatted(Protocol.PROTOCOL_VERSION_VALUE, request.getProtocolVersion()));
    }
  }

  private StudentOpened open(OpenStudent request) {
    StudentRun current = open;
    if (current != null && !current.matches(request)) {
      log.info("run {} makes place for run {}", current.name(), Quote.of(request.getRun()));
      closeRun();
      current = null;
    }
    if (current == null) {
      LogContext.run(request.getRun());
      current = StudentRun.open(request, options, metrics, turns);
      open = current;
      log.info("run {} is open", current.name());
    }
    return current.opened();
  }

  @Override
  public StreamObserver<StudentCommand> train(StreamObserver<StudentEvent> response) {
    TrainStream before = active;
    if (before != null && !before.ended) {
      response.onError(
          Failures.toStatus(
              new RunException(
                  ExitCode.PEER_AWAY,
                  "this student has a stream with another coordinator; a second one would disturb its run")));
      return new Ignoring();
    }
    TrainStream stream = new TrainStream((ServerCallStreamObserver<StudentEvent>) response);
    active = stream;
    training.execute(stream::carryOut);
    return stream;
  }

  /** Of a call that was refused. */
  private static final class Ignoring implements StreamObserver<StudentCommand> {
    @Override
    public void onNext(StudentCommand command) {}

    @Override
    public void onError(Throwable t) {}

    @Override
    public void onCompleted() {}
  }

  @Override
  public void where(WhereRequest request, StreamObserver<WhereReply> response) {
    StudentRun run = open;
    WhereReply.Builder reply = WhereReply.newBuilder();
    if (run != null && run.name().equals(request.getRun())) {
      reply.setOpen(true).setCommittedStep(run.committedStep());
      run.recordsSinceCheckpoint(answerBytes - WHERE_BYTES).forEach(reply::addRecords);
    }
    response.onNext(reply.build());
    response.onCompleted();
  }

  @Override
  public void clock(ClockRequest request, StreamObserver<ClockReply> response) {
    response.onNext(ClockReply.newBuilder().setNanos(System.nanoTime()).build());
    response.onCompleted();
  }

  @Override
  public void shutdown(ShutdownRequest request, StreamObserver<ShutdownReply> response) {
    log.info("asked to shut down: {}", Quote.of(request.getReason()));
    response.onNext(ShutdownReply.getDefaultInstance());
    response.onCompleted();
    shutdown.run();
  }

  /** Takes no more runs and waits, as long as {@code most}, until the open stream has ended. */
  void awaitEndOfStream(Duration most) throws InterruptedException {
    draining = true;
    TrainStream stream = active;
    if (stream != null && !stream.ended && most.toMillis() > 0) {
      log.info("waiting up to {} s for the end of the coordinator's stream", most.toSeconds());
      if (!stream.end.await(most.toMillis(), TimeUnit.MILLISECONDS)) {
        log.warn("the coordinator's stream is cut");
      }
    }
  }

  /** Frees the open run; on the training thread, once no stream is left. */
  void closeRun() {
    StudentRun run = open;
    open = null;
    if (run != null) {
      run.close();
      LogContext.run(null);
    }
  }

  /** One coordinator's stream. */
  private final class TrainStream implements StreamObserver<StudentCommand> {
    private final Inbox inbox = new Inbox(turns);
    private final Outbox<StudentEvent> outbox;
    private TensorFrames.@Nullable Assembler assembler;
    private MicroBatchKey arriving = MicroBatchKey.getDefaultInstance();
    private final CountDownLatch end = new CountDownLatch(1);
    private volatile boolean ended;

    TrainStream(ServerCallStreamObserver<StudentEvent> call) {
      outbox = new Outbox<>(call);
      call.setOnCancelHandler(this::gone);
      outbox.limit(answerBytes);
    }

    @Override
    public void onNext(StudentCommand command) {
      if (ended) {
        return;
      }
      try {
        switch (command.getCommandCase()) {
          case BACKWARD -> backward(command.getBackward());
          case PLAN, PROBE, EVALUATE, CHECKPOINT, RESTORE, EXPORT, PROFILE ->
              inbox.command(command);
          case COMMAND_NOT_SET ->
              throw new IllegalArgumentException(
                  "a command that this student does not know; it speaks protocol version "
                      + Protocol.PROTOCOL_VERSION_VALUE);
        }
      } catch (IllegalArgumentException e) {
        refuse(e);
      }
    }

    /** Ends the stream, and leaves the run at its last committed step. */
    private void refuse(IllegalArgumentException why) {
      log.warn("refused a command: {}", Quote.line(String.valueOf(why.getMessage())));
      setEnded();
      outbox.fail(why);
      inbox.close();
    }

    private void backward(Backward frame) {
      if (assembler == null) {
        StudentRun run = open;
        assembler = new TensorFrames.Assembler(run == null ? 0 : run.gradientBytes());
        arriving = frame.getKey();
      } else if (!arriving.equals(frame.getKey())) {
        throw new IllegalArgumentException(
            "a frame of micro-batch %d, step %d came in the midst of micro-batch %d, step %d"
                .formatted(
                    frame.getKey().getIndex(),
                    frame.getKey().getStep(),
                    arriving.getIndex(),
                    arriving.getStep()));
      }
      for (Tensor tensor : frame.getTensorsList()) {
        assembler.add(tensor);
      }
      if (!frame.getLast()) {
        return;
      }
      Map<String, NamedTensor> tensors = assembler.finish();
      assembler = null;
      if (!inbox.gradient(frame.getKey(), new Inbox.Gradient(tensors, frame.getLoss()))) {
        log.debug(
            "dropped a stale gradient of micro-batch {}, step {}, attempt {}",
            frame.getKey().getIndex(),
            frame.getKey().getStep(),
            frame.getKey().getAttempt());
      }
    }

    /** Carries out commands in order until the stream ends; runs on the training thread. */
    private void carryOut() {
      try {
        StudentRun run = open;
        if (run == null) {
          refuse(new IllegalArgumentException("Train was called before Open"));
          return;
        }
        run.beginStream();
        for (StudentCommand command = inbox.take(); command != null; command = inbox.take()) {
          outbox.awaitRoom(MOST_UNREAD_BYTES);
          try {
            run.check(command);
          } catch (IllegalArgumentException e) {
            refuse(e);
            return;
          }
          run.carryOut(command, inbox, outbox);
        }
        outbox.complete();
      } catch (StepAbandonedException e) {
        log.info("a command was given up: {}", e.getMessage());
        outbox.complete();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        outbox.fail(new RunException(ExitCode.PEER_AWAY, "this student is shutting down", e));
      } catch (Exception | LinkageError | OutOfMemoryError e) {
        log.error("the run stops", e);
        // Gradients or weights may be half done. The next Open builds the run anew, from its
        // checkpoint.
        closeRun();
        setEnded();
        outbox.fail(Categories.of(e));
      }
    }

    private void setEnded() {
      ended = true;
      end.countDown();
    }

    private void gone() {
      setEnded();
      outbox.abandon();
      inbox.close();
    }

    @Override
    public void onError(Throwable t) {
      log.info("the coordinator's stream broke: {}", t.getMessage());
      gone();
    }

    @Override
    public void onCompleted() {
      setEnded();
      inbox.close();
    }
  }
}
