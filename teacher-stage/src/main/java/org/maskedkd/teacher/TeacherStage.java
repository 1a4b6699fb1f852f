package org.maskedkd.teacher;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.runtime.Management;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.Role;
import org.maskedkd.runtime.SleepTimes;
import org.maskedkd.runtime.StageServer;
import org.maskedkd.runtime.Tls;
import org.maskedkd.tensor.Torch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running teacher: the model, its compute thread and the server before them. */
public final class TeacherStage implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(TeacherStage.class);

  private final TeacherModel model;
  private final ExecutorService compute;
  private final TeacherService service;
  private final Duration drain;
  private final Idleness idleness;
  private final StageServer server;
  private final Shown shown;
  private final CountDownLatch shutdown = new CountDownLatch(1);

  /** Metrics and probes, which are there before the model is. */
  private record Shown(Metrics metrics, Management management) implements AutoCloseable {
    static Shown open(String address) {
      Metrics metrics = new Metrics(Role.TEACHER);
      try {
        return new Shown(metrics, new Management(address, metrics.registry()));
      } catch (RuntimeException | Error e) {
        metrics.close();
        throw e;
      }
    }

    @Override
    public void close() {
      management.close();
      metrics.close();
    }
  }

  /** Takes ownership of {@code model} and {@code shown} unless it throws. */
  private TeacherStage(TeacherOptions options, @Nullable Tls tls, TeacherModel model, Shown shown) {
    this.model = model;
    this.shown = shown;
    SleepTimes sleep = options.sleep();
    this.compute = Executors.newSingleThreadExecutor(task -> thread(task, options.threads()));
    this.drain = options.drain();
    this.idleness = new Idleness(options.idle(), System::nanoTime);
    this.service =
        new TeacherService(
            model,
            sleep == null ? model : new SleepingTeacher(sleep, model.config()),
            Numerics.newBuilder()
                .putAllFacts(Torch.numerics())
                .putFacts("precision", options.precision().name())
                .build(),
            compute,
            options.maxMicroBatchBytes(),
            options.maxRuns(),
            new TeacherMeter(shown.metrics, model.config()),
            idleness,
            this::requestShutdown);
    this.server =
        StageServer.listen(options.listen())
            .tls(tls)
            .insecure(options.insecure())
            .metrics(shown.metrics)
            .service(service)
            .start();
  }

  /**
   * Shows metrics and probes, loads the model, runs it once and is ready.
   *
   * @throws org.maskedkd.runtime.RunException if the weights, the address or an option do not fit
   */
  public static TeacherStage start(TeacherOptions options) throws InterruptedException {
    return start(options, options::load);
  }

  static TeacherStage start(TeacherOptions options, Supplier<TeacherModel> weights)
      throws InterruptedException {
    // Wrong files and a used port are told of before the model is loaded, which takes longer.
    Tls tls = Tls.open(options.tls());
    TeacherStage stage = load(options, tls, Shown.open(options.management()), weights);
    TeacherModel model = stage.model;
    try {
      stage.warmUp();
    } catch (RuntimeException | Error | InterruptedException e) {
      stage.close();
      throw e;
    }
    stage.shown.management.ready(true, "serving");
    log.info("{} with {} classes is ready", model.info().getModel(), model.info().getClasses());
    model.info().getNoticesList().forEach(log::warn);
    if (options.sleep() != null) {
      log.warn("this teacher sleeps instead of computing: {}", options.sleep());
    }
    return stage;
  }

  /** Serves the model; {@code shown} is the stage's, or closed. */
  private static TeacherStage load(
      TeacherOptions options, @Nullable Tls tls, Shown shown, Supplier<TeacherModel> weights) {
    try {
      shown.management.ready(false, "loading weights");
      Torch.start(options.threads());
      TeacherModel model = weights.get();
      shown.management.ready(false, "warming up");
      try {
        return new TeacherStage(options, tls, model, shown);
      } catch (RuntimeException | Error e) {
        model.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      shown.close();
      throw e;
    }
  }

  /** The first forward pays for lazy loading in the engine; better now than in a measured step. */
  private void warmUp() throws InterruptedException {
    try {
      compute.submit(model::warmUp).get();
    } catch (ExecutionException e) {
      throw new IllegalStateException("the first forward failed: " + e.getCause(), e);
    }
  }

  private static Thread thread(Runnable task, int threads) {
    return new Thread(
        () -> {
          if (threads > 0) {
            Torch.useThreads(threads);
          }
          task.run();
        },
        "teacher");
  }

  /** Where gRPC is served. */
  public String address() {
    return server.address();
  }

  /** Lets {@link #awaitShutdown} return. */
  public void requestShutdown() {
    shutdown.countDown();
  }

  /**
   * Returns once a coordinator has asked for a shutdown.
   *
   * @throws org.maskedkd.runtime.RunException (peer away) when there was no run for {@link
   *     TeacherOptions#idle}
   */
  public void awaitShutdown() throws InterruptedException {
    while (!shutdown.await(idleness.nanosLeft(), TimeUnit.NANOSECONDS)) {
      idleness.requireNotOver();
    }
  }

  /**
   * Tells the runs to give it no more work, finishes what was taken, which may take {@link
   * TeacherOptions#drain}, and frees the model.
   */
  @Override
  public void close() {
    shown.management.ready(false, "shutting down");
    service.drain();
    server.close(drain);
    compute.shutdown();
    shown.close();
    try {
      if (compute.awaitTermination(30, TimeUnit.SECONDS)) {
        model.close();
      } else {
        // Freed under a running forward, its memory would crash the process.
        log.warn("a micro-batch was still running after 30 s and is abandoned");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
