package org.maskedkd.teacher;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.ClockReply;
import org.maskedkd.proto.v1.ClockRequest;
import org.maskedkd.proto.v1.Features;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.ShutdownReply;
import org.maskedkd.proto.v1.ShutdownRequest;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherProfiled;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Failures;
import org.maskedkd.runtime.Gpus;
import org.maskedkd.runtime.LogContext;
import org.maskedkd.runtime.MessageLimits;
import org.maskedkd.runtime.Outbox;
import org.maskedkd.runtime.Quote;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.TaskTimer;
import org.maskedkd.runtime.TensorFrames;
import org.maskedkd.runtime.TensorFrames.NamedTensor;
import org.maskedkd.vit.TokenMerging;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The teacher's side of the contract. A micro-batch is put together as its frames arrive, on the
 * network's thread, and computed on the stage's one compute thread. Those of one stream run in the
 * order in which they were completed; streams take turns. A stream is not read from while too much
 * of it waits, so memory is bounded by their number, however much is sent.
 */
final class TeacherService extends TeacherGrpc.TeacherImplBase {
  private static final Logger log = LoggerFactory.getLogger(TeacherService.class);

  private static final int MOST_UNREAD = 256;

  private final TeacherModel model;
  private final TeacherDevice device;
  private final Numerics numerics;
  private final ExecutorService compute;
  private final long maxMicroBatchBytes;
  private final ByteBudget budget = new ByteBudget(Runtime.getRuntime().maxMemory() / 2);
  private final long mostUnreadBytes = Runtime.getRuntime().maxMemory() / 8;
  private final int maxRuns;
  private final TeacherMeter meter;
  private final Runnable shutdown;
  private final FairQueue queue;
  private final Idleness idleness;
  private final Set<Supervision> streams = ConcurrentHashMap.newKeySet();
  private volatile boolean draining;

  TeacherService(
      TeacherModel model,
      TeacherDevice device,
      Numerics numerics,
      ExecutorService compute,
      long maxMicroBatchBytes,
      int maxRuns,
      TeacherMeter meter,
      Idleness idleness,
      Runnable shutdown) {
    this.model = model;
    this.device = device;
    this.numerics = numerics;
    this.compute = compute;
    this.maxMicroBatchBytes = maxMicroBatchBytes;
    this.maxRuns = maxRuns;
    this.queue = new FairQueue(compute, maxMicroBatchBytes, budget, meter::queue);
    this.meter = meter;
    this.idleness = idleness;
    this.shutdown = shutdown;
  }

  @Override
  public void open(OpenTeacher request, StreamObserver<TeacherOpened> response) {
    try (LogContext.Scope ofRun = LogContext.of(request.getRun())) {
      answer(request, response);
    }
  }

  private void answer(OpenTeacher request, StreamObserver<TeacherOpened> response) {
    try {
      check(request);
      log.info("run {} opened this teacher", Quote.of(request.getRun()));
      response.onNext(
          TeacherOpened.newBuilder()
              .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
              .setModel(model.info())
              .setNumerics(numerics)
              .setMaxMessageBytes(MessageLimits.REQUEST_BYTES)
              .addAllGpus(Gpus.ofProcess())
              .build());
      response.onCompleted();
    } catch (RunException e) {
      log.warn(
          "refused run {}: {}",
          Quote.of(request.getRun()),
          Quote.line(String.valueOf(e.getMessage())));
      response.onError(Failures.toStatus(e));
    }
  }

  private void check(OpenTeacher request) {
    if (request.getProtocolVersion() != Protocol.PROTOCOL_VERSION_VALUE) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          "this teacher speaks protocol version %d, the coordinator speaks %d: run the same release everywhere"
              .formatted(Protocol.PROTOCOL_VERSION_VALUE, request.getProtocolVersion()));
    }
    MessageLimits.agree(request.getMaxMessageBytes(), "the coordinator");
    try {
      TokenMerging.requireIn(model.config(), request.getMerge());
    } catch (IllegalArgumentException e) {
      throw new RunException(ExitCode.USAGE, "teacher.merge: " + e.getMessage(), e);
    }
    if (request.getClasses() != 0 && request.getClasses() != model.info().getClasses()) {
      throw new RunException(
          ExitCode.BAD_DATA,
          "the teacher has %d classes, the data have %d: give a teacher that was trained on these classes"
              .formatted(model.info().getClasses(), request.getClasses()));
    }
  }

  @Override
  public StreamObserver<MaskedMicroBatch> supervise(StreamObserver<TeacherSignal> response) {
    Supervision stream = new Supervision((ServerCallStreamObserver<TeacherSignal>) response);
    stream.begin();
    return stream;
  }

  /** Tells every run to give this teacher no more; what it has got is still answered. */
  void drain() {
    draining = true;
    streams.forEach(Supervision::sayDraining);
  }

  @Override
  public void clock(ClockRequest request, StreamObserver<ClockReply> response) {
    response.onNext(ClockReply.newBuilder().setNanos(System.nanoTime()).build());
    response.onCompleted();
  }

  @Override
  public void profile(ProfileTeacher request, StreamObserver<TeacherProfiled> response) {
    ServerCallStreamObserver<TeacherProfiled> call =
        (ServerCallStreamObserver<TeacherProfiled>) response;
    // Without it gRPC throws at whoever answers a call that was given up.
    call.setOnCancelHandler(() -> log.info("a profile was given up"));
    compute.execute(
        () -> {
          try {
            response.onNext(
                TeacherProfile.measure(
                    device, model.config(), maxMicroBatchBytes, request, call::isCancelled));
            response.onCompleted();
          } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            log.warn("a profile failed", e);
            response.onError(Failures.toStatus(e));
          }
        });
  }

  @Override
  public void shutdown(ShutdownRequest request, StreamObserver<ShutdownReply> response) {
    log.info("asked to shut down: {}", Quote.of(request.getReason()));
    response.onNext(ShutdownReply.getDefaultInstance());
    response.onCompleted();
    shutdown.run();
  }

  /** One coordinator's stream. */
  private final class Supervision implements StreamObserver<MaskedMicroBatch> {
    private final ServerCallStreamObserver<TeacherSignal> call;
    private final Outbox<TeacherSignal> outbox;
    private final FairQueue.Lane lane;
    private final MicroBatchCheck check = new MicroBatchCheck(model.config());
    private TensorFrames.@Nullable Assembler assembler;
    private MicroBatchKey arriving = MicroBatchKey.getDefaultInstance();
    private int arrivingMerge;
    private Features arrivingFeatures = Features.getDefaultInstance();

    /** Of the micro-batch that is arriving, taken from the budget. */
    private long arrivingBytes;

    private volatile boolean ended;

    Supervision(ServerCallStreamObserver<TeacherSignal> call) {
      this.call = call;
      this.outbox = new Outbox<>(call);
      this.lane = queue.lane(() -> call.request(1));
      call.disableAutoRequest();
      call.setOnCancelHandler(this::end);
      call.setOnCloseHandler(this::end);
    }

    void begin() {
      synchronized (streams) {
        if (streams.size() >= maxRuns) {
          outbox.fail(
              new RunException(
                  ExitCode.PEER_AWAY,
                  "this teacher serves %d runs already, and --max-runs is %d; wait, or start another"
                          .formatted(streams.size(), maxRuns)
                      + " teacher"));
          return;
        }
        streams.add(this);
        meter.runs(streams.size());
        idleness.begin();
      }
      if (draining) {
        sayDraining();
      }
      call.request(1);
    }

    void sayDraining() {
      outbox.send(TeacherSignal.newBuilder().setDraining(true).build());
    }

    private void end() {
      ended = true;
      synchronized (streams) {
        if (streams.remove(this)) {
          meter.runs(streams.size());
          idleness.end();
        }
      }
      lane.drop();
      outbox.abandon();
      giveBackArriving();
    }

    private void giveBackArriving() {
      assembler = null;
      budget.giveBack(arrivingBytes);
      arrivingBytes = 0;
    }

    @Override
    public void onNext(MaskedMicroBatch message) {
      if (ended) {
        return;
      }
      try {
        take(message);
        if (lane.hasRoom()) {
          call.request(1);
        }
      } catch (IllegalArgumentException | RunException e) {
        // The frames no longer add up, so nothing that follows on this stream can be trusted.
        try (LogContext.Scope ofRun = LogContext.of(arriving.getRun(), arriving.getStep())) {
          log.warn("refused a stream: {}", Quote.line(String.valueOf(e.getMessage())));
        }
        refuse(e);
      } catch (RejectedExecutionException e) {
        outbox.fail(new RunException(ExitCode.PEER_AWAY, "this teacher is shutting down", e));
        end();
      }
    }

    private void take(MaskedMicroBatch message) {
      MicroBatchKey key = message.getKey();
      if (assembler == null) {
        MicroBatchCheck.key(key);
        assembler = new TensorFrames.Assembler(maxMicroBatchBytes);
        arriving = key;
        arrivingMerge = message.getMerge();
        arrivingFeatures = message.getFeatures();
      } else if (!arriving.equals(key)) {
        throw new IllegalArgumentException(
            "a frame of micro-batch %d, step %d came in the midst of micro-batch %d, step %d"
                .formatted(key.getIndex(), key.getStep(), arriving.getIndex(), arriving.getStep()));
      }
      if (message.getMerge() != arrivingMerge || !message.getFeatures().equals(arrivingFeatures)) {
        throw new IllegalArgumentException(
            "a frame of micro-batch %d, step %d asks for %d merged tokens and features of %d blocks, those before it for %d and %d"
                .formatted(
                    key.getIndex(),
                    key.getStep(),
                    message.getMerge(),
                    blocks(message.getFeatures()),
                    arrivingMerge,
                    blocks(arrivingFeatures)));
      }
      for (Tensor frame : message.getTensorsList()) {
        budget.take(frame.getData().size());
        arrivingBytes += frame.getData().size();
        assembler.add(frame);
      }
      if (!message.getLast()) {
        return;
      }
      Map<String, NamedTensor> tensors = assembler.finish();
      assembler = null;
      requireRead();
      Features features = arrivingFeatures;
      long bytes = arrivingBytes;
      arrivingBytes = 0;
      int merge = arrivingMerge;
      lane.add(
          bytes,
          () -> {
            try (LogContext.Scope ofRun = LogContext.of(key.getRun(), key.getStep())) {
              answer(key, tensors, features, merge);
            }
          });
    }

    private static int blocks(Features features) {
      return features.getTokensCount() + features.getAttentionCount();
    }

    private void refuse(RuntimeException why) {
      meter.refused();
      outbox.fail(why);
      end();
    }

    /** A coordinator reads the answers; whoever does not could fill the memory with them. */
    private void requireRead() {
      int unread = outbox.waiting();
      long bytes = outbox.waitingBytes();
      if (unread > MOST_UNREAD || bytes > mostUnreadBytes) {
        throw new IllegalArgumentException(
            "%d messages of answers with %d bytes wait to be read, more than %d or %d; a coordinator reads them"
                .formatted(unread, bytes, MOST_UNREAD, mostUnreadBytes));
      }
    }

    private void answer(
        MicroBatchKey key, Map<String, NamedTensor> tensors, Features features, int merge) {
      try {
        requireRead();
      } catch (IllegalArgumentException e) {
        log.warn("refused a stream: {}", e.getMessage());
        refuse(e);
        return;
      }
      try {
        Answer answer = compute(tensors, key, features, merge);
        send(key, answer.signal);
        // Afterwards, since the student waits for the answer.
        meter.answered(answer.images, answer.kept, merge, answer.seconds);
      } catch (IllegalArgumentException e) {
        log.warn("refused a micro-batch: {}", e.getMessage());
        meter.refused();
        outbox.send(
            TeacherSignal.newBuilder()
                .setKey(key)
                .setRefused(String.valueOf(e.getMessage()))
                .setLast(true)
                .build());
      } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
        log.error("micro-batch {} of step {} failed", key.getIndex(), key.getStep(), e);
        outbox.fail(e);
      }
    }

    private record Answer(TeacherSignal.Builder signal, double seconds, int images, int kept) {}

    private Answer compute(
        Map<String, NamedTensor> tensors, MicroBatchKey key, Features features, int merge) {
      MicroBatchCheck.Checked micro = check.check(key, tensors, features, merge);
      TaskTimer timer = new TaskTimer(device.onCallingThread());
      TeacherDevice.Signal signal =
          device.forward(
              micro.patches().bytes(), micro.kept(), micro.batch(), merge, micro.features());
      Span span = timer.stop("teacher", key.getIndex());
      return new Answer(
          TeacherSignal.newBuilder().addAllTensors(tensors(signal, micro)).setSpan(span),
          (span.getEndNanos() - span.getStartNanos()) / 1e9,
          micro.batch(),
          micro.kept().length / micro.batch());
    }

    private List<Tensor> tensors(TeacherDevice.Signal signal, MicroBatchCheck.Checked micro) {
      int batch = micro.batch();
      int kept = micro.kept().length / batch;
      int tokens = micro.features().tokens().size();
      int attention = micro.features().attention().size();
      List<Tensor> all = new ArrayList<>();
      all.add(
          TensorFrames.floats("logits", signal.logits(), batch, signal.logits().length / batch));
      if (tokens > 0) {
        int width = model.config().width();
        all.add(TensorFrames.floats("tokens", signal.tokens(), tokens, batch, kept, width));
      }
      if (attention > 0) {
        all.add(TensorFrames.floats("attention", signal.attention(), attention, batch, kept));
      }
      return all;
    }

    private void send(MicroBatchKey key, TeacherSignal.Builder signal) {
      List<List<Tensor>> groups = TensorFrames.cut(signal.getTensorsList());
      signal.clearTensors();
      for (int i = 0; i < groups.size(); i++) {
        boolean last = i == groups.size() - 1;
        TeacherSignal.Builder part = last ? signal : TeacherSignal.newBuilder();
        outbox.send(part.setKey(key).addAllTensors(groups.get(i)).setLast(last).build());
      }
    }

    @Override
    public void onError(Throwable t) {
      try (LogContext.Scope ofRun = LogContext.of(arriving.getRun(), arriving.getStep())) {
        log.info("a coordinator's stream ended: {}", t.getMessage());
      }
      end();
    }

    @Override
    public void onCompleted() {
      giveBackArriving();
      // What was already queued is still answered, in order, before the stream ends.
      lane.add(0, outbox::complete);
    }
  }
}
