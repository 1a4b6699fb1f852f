package org.maskedkd.student;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.maskedkd.runtime.Management;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.StageServer;
import org.maskedkd.runtime.Tls;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running student process: the training thread and the server before it. */
final class StudentStage implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StudentStage.class);

  private final ExecutorService training;
  private final StudentService service;
  private final StageServer server;
  private final Management management;
  private final Metrics metrics;
  private final CountDownLatch shutdown = new CountDownLatch(1);

  private StudentStage(StudentOptions options) {
    Tls tls = Tls.open(options.tls());
    training = Executors.newSingleThreadExecutor(task -> new Thread(task, "student"));
    metrics = new Metrics("student");
    service = new StudentService(options, training, metrics, this::requestShutdown);
    management = new Management(options.management(), metrics.registry());
    server =
        StageServer.listen(options.listen())
            .tls(tls)
            .insecure(options.insecure())
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

  /** Ends the streams, lets the running command come to its end and frees the run. */
  @Override
  public void close() {
    management.ready(false, "shutting down");
    server.close();
    training.execute(service::closeRun);
    training.shutdown();
    try {
      if (!training.awaitTermination(30, TimeUnit.SECONDS)) {
        log.warn("a command was still running after 30 s and is abandoned");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    management.close();
    metrics.close();
  }
}
