package org.maskedkd.student;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.maskedkd.runtime.Management;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.Role;
import org.maskedkd.runtime.StageServer;
import org.maskedkd.runtime.Tls;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running student process: the training thread and the server before it. */
final class StudentStage implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StudentStage.class);

  /** What the server takes at most to end its streams. */
  private static final Duration CLOSING = Duration.ofSeconds(4);

  private final ExecutorService training;
  private final StudentService service;
  private final StageServer server;
  private final Management management;
  private final Metrics metrics;
  private final CountDownLatch shutdown = new CountDownLatch(1);
  private Duration closeWithin = Duration.ofSeconds(30);

  private StudentStage(StudentOptions options) {
    Tls tls = Tls.open(options.tls());
    training = Executors.newSingleThreadExecutor(task -> new Thread(task, "student"));
    metrics = new Metrics(Role.STUDENT);
    service = new StudentService(options, training, metrics, this::requestShutdown);
    management = new Management(options.management(), metrics.registry());
    server =
        StageServer.listen(options.listen())
            .tls(tls)
            .insecure(options.insecure())
            .metrics(metrics)
            .service(service)
            .start();
  }

  /** Starts serving; the model and the data come with a run. */
  static StudentStage start(StudentOptions options) {
    StudentStage stage = new StudentStage(options);
    stage.management.ready(true, "serving");
    return stage;
  }

  /** Where gRPC is served. */
  String address() {
    return server.address();
  }

  void requestShutdown() {
    shutdown.countDown();
  }

  void awaitShutdown() throws InterruptedException {
    shutdown.await();
  }

  /**
   * Waits for the end of the stream that is open: its coordinator may have got the same signal and
   * want a checkpoint. Runs are not opened any more.
   *
   * @param grace of which some is left for {@link #close}
   */
  void drain(Duration grace) throws InterruptedException {
    management.ready(false, "shutting down");
    closeWithin = Duration.ofSeconds(Math.max(1, grace.toSeconds() / 10));
    service.awaitEndOfStream(grace.minus(CLOSING).minus(closeWithin));
  }

  /** Ends the streams, lets the running command come to its end and frees the run. */
  @Override
  public void close() {
    management.ready(false, "shutting down");
    server.close();
    training.execute(service::closeRun);
    training.shutdown();
    try {
      if (!training.awaitTermination(closeWithin.toMillis(), TimeUnit.MILLISECONDS)) {
        log.warn("a command was still running after {} and is abandoned", closeWithin);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    management.close();
    metrics.close();
  }
}
