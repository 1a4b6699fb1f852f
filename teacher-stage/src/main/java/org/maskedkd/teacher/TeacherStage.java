package org.maskedkd.teacher;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
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
  private final Management management;
  private final Metrics metrics;
  private final CountDownLatch shutdown = new CountDownLatch(1);

  private TeacherStage(TeacherOptions options, @Nullable Tls tls, TeacherModel model) {
    this.model = model;
    SleepTimes sleep = options.sleep();
    this.compute = Executors.newSingleThreadExecutor(task -> thread(task, options.threads()));
    this.metrics = new Metrics(Role.TEACHER);
    this.management = new Management(options.management(), metrics.registry());
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
            new TeacherMeter(metrics, model.config()),
            idleness,
            this::requestShutdown);
    this.server =
        StageServer.listen(options.listen())
            .tls(tls)
            .insecure(options.insecure())
            .metrics(metrics)
            .service(service)
            .start();
  }

  /**
   * Loads the model, runs it once and starts serving.
   *
   * @throws org.maskedkd.runtime.RunException if the weights, the address or an option do not fit
   */
  public static TeacherStage start(TeacherOptions options) throws InterruptedException {
    // Wrong files are told of before the model is loaded, which takes longer.
    Tls tls = Tls.open(options.tls());
    Torch.start(options.threads());
    TeacherModel model = options.load();
    TeacherStage stage = new TeacherStage(options, tls, model);
    stage.warmUp();
    stage.management.ready(true, "serving");
    log.info("{} with {} classes is ready", model.info().getModel(), model.info().getClasses());
    model.info().getNoticesList().forEach(log::warn);
    if (options.sleep() != null) {
      log.warn("this teacher sleeps instead of computing: {}", options.sleep());
    }
    return stage;
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
    management.ready(false, "shutting down");
    service.drain();
    server.close(drain);
    compute.shutdown();
    management.close();
    metrics.close();
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
