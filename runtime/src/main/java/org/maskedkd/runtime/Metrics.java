package org.maskedkd.runtime;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmInfoMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Every metric of this project, named in one place. A process sets those that it knows; one that is
 * never set is never exported. Counters and gauges appear with their first value. Thread-safe.
 *
 * <p>Names carry the prefix {@code maskedkd_} and base units. Busy and idle time are counters, so
 * that the share of either over any stretch is a rate and a missed scrape hides nothing. No label
 * has more than a handful of values.
 */
public final class Metrics implements AutoCloseable {
  private static final Duration[] STEP_BUCKETS = {
    Duration.ofMillis(10),
    Duration.ofMillis(25),
    Duration.ofMillis(50),
    Duration.ofMillis(100),
    Duration.ofMillis(250),
    Duration.ofMillis(500),
    Duration.ofSeconds(1),
    Duration.ofMillis(2500),
    Duration.ofSeconds(5),
    Duration.ofSeconds(10),
    Duration.ofSeconds(30),
    Duration.ofSeconds(60)
  };

  private final PrometheusMeterRegistry registry;
  private final JvmGcMetrics garbageCollection = new JvmGcMetrics();
  private final Map<String, Held> gauges = new ConcurrentHashMap<>();

  /** A gauge's last value. */
  private static final class Held {
    volatile double value;
  }

  /**
   * A registry of its own, with the JVM's meters in it.
   *
   * @param role label {@code role} of every metric: {@code student}, {@code teacher} or {@code
   *     coordinator}
   */
  public Metrics(String role) {
    registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    registry.config().commonTags("role", role);
    garbageCollection.bindTo(registry);
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new JvmInfoMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new UptimeMetrics().bindTo(registry);
    new FileDescriptorMetrics().bindTo(registry);
  }

  /** What {@link Management} serves. */
  public PrometheusMeterRegistry registry() {
    return registry;
  }

  /** {@code maskedkd_images_total}. */
  public void images(long count) {
    count("maskedkd.images", "Images trained on or, by a teacher, answered for", "", count);
  }

  /** {@code maskedkd_steps_total}, {@code maskedkd_step_seconds} and {@code maskedkd_last_step}. */
  public void step(long step, Duration took) {
    count("maskedkd.steps", "Committed training steps", "", 1);
    gauge("maskedkd.last.step", "The last committed step", "", step);
    Timer.builder("maskedkd.step")
        .description("Time from a step's first forward to its weights' update")
        .serviceLevelObjectives(STEP_BUCKETS)
        .register(registry)
        .record(took);
  }

  /** {@code maskedkd_microbatches_total}. */
  public void microBatch() {
    count("maskedkd.microbatches", "Micro-batches finished", "", 1);
  }

  /**
   * {@code maskedkd_device_busy_seconds_total}.
   *
   * @param device {@code student} or a teacher's place in the pool
   * @param operation {@code forward}, {@code backward}, {@code teacher}, {@code optimizer} or
   *     {@code data}
   */
  public void busy(String device, String operation, double seconds) {
    count(
        "maskedkd.device.busy",
        "Time a device computed",
        "seconds",
        seconds,
        "device",
        device,
        "operation",
        operation);
  }

  /**
   * {@code maskedkd_device_idle_seconds_total}.
   *
   * @param cause {@code fill}, {@code starved}, {@code drain}, {@code window} or {@code transfer}
   */
  public void idle(String device, String cause, double seconds) {
    count(
        "maskedkd.device.idle",
        "Time a device waited",
        "seconds",
        seconds,
        "device",
        device,
        "cause",
        cause);
  }

  /** {@code maskedkd_data_wait_seconds_total}. */
  public void dataWait(double seconds) {
    count(
        "maskedkd.data.wait",
        "Time that steps waited for their batch to be decoded",
        "seconds",
        seconds);
  }

  /** {@code maskedkd_sent_bytes_total}; {@code peer} is a role. */
  public void sent(String peer, long bytes) {
    count("maskedkd.sent", "Tensor bytes sent", "bytes", bytes, "peer", peer);
  }

  /** {@code maskedkd_received_bytes_total}; {@code peer} is a role. */
  public void received(String peer, long bytes) {
    count("maskedkd.received", "Tensor bytes received", "bytes", bytes, "peer", peer);
  }

  /**
   * {@code maskedkd_retries_total}.
   *
   * @param what {@code microbatch}, {@code step} or {@code connection}
   */
  public void retry(String what) {
    count("maskedkd.retries", "Work that was given out again after a failure", "", 1, "what", what);
  }

  /**
   * {@code maskedkd_duplicates_total}: answers that had come before, or belong to an earlier
   * attempt.
   */
  public void duplicate() {
    count(
        "maskedkd.duplicates", "Answers dropped because they were stale or had come before", "", 1);
  }

  /** {@code maskedkd_window_samples}. */
  public void windowSamples(long samples) {
    gauge("maskedkd.window", "Samples whose activations are held", "samples", samples);
  }

  /** {@code maskedkd_queue_microbatches}. */
  public void queueDepth(long microBatches) {
    gauge("maskedkd.queue", "Micro-batches that wait for a teacher", "microbatches", microBatches);
  }

  /** {@code maskedkd_teachers}. */
  public void teachers(long serving) {
    gauge("maskedkd.teachers", "Teachers that serve the run", "", serving);
  }

  /** {@code maskedkd_kept_ratio}. */
  public void keptRatio(double ratio) {
    gauge("maskedkd.kept.ratio", "Share of the patches that the teacher sees", "", ratio);
  }

  /**
   * {@code maskedkd_loss}, of the last step.
   *
   * @param part {@code total}, {@code base} or {@code distillation}
   */
  public void loss(String part, double value) {
    gauge("maskedkd.loss", "Mean loss of the last step", "", value, "part", part);
  }

  /** {@code maskedkd_learning_rate}. */
  public void learningRate(double value) {
    gauge("maskedkd.learning.rate", "Learning rate of the last step", "", value);
  }

  /** {@code maskedkd_gradient_norm}. */
  public void gradientNorm(double value) {
    gauge(
        "maskedkd.gradient.norm",
        "Norm of the last step's whole gradient, before clipping",
        "",
        value);
  }

  /** {@code maskedkd_epoch}. */
  public void epoch(long epoch) {
    gauge("maskedkd.epoch", "The epoch under way, from 0 on", "", epoch);
  }

  /**
   * {@code maskedkd_evaluation_ratio}.
   *
   * @param measure {@code top1} or {@code top5}
   */
  public void evaluation(String measure, double ratio) {
    gauge(
        "maskedkd.evaluation.ratio",
        "Share of the evaluation images named right",
        "",
        ratio,
        "measure",
        measure);
  }

  /** {@code maskedkd_checkpoint_size_bytes} and {@code maskedkd_checkpoint_write_seconds}. */
  public void checkpoint(long bytes, double seconds) {
    gauge("maskedkd.checkpoint.size", "Size of the last checkpoint", "bytes", bytes);
    gauge(
        "maskedkd.checkpoint.write", "Time the last checkpoint took to write", "seconds", seconds);
  }

  @Override
  public void close() {
    garbageCollection.close();
    registry.close();
  }

  private void count(
      String name, String description, String unit, double amount, String... labels) {
    Counter.builder(name)
        .description(description)
        .baseUnit(unit.isEmpty() ? null : unit)
        .tags(labels)
        .register(registry)
        .increment(amount);
  }

  private void gauge(String name, String description, String unit, double value, String... labels) {
    String key = name + ' ' + unit + ' ' + String.join(" ", labels);
    Held held =
        gauges.computeIfAbsent(
            key,
            k -> {
              Held fresh = new Held();
              Gauge.builder(name, fresh, h -> h.value)
                  .description(description)
                  .baseUnit(unit.isEmpty() ? null : unit)
                  .tags(labels)
                  .register(registry);
              return fresh;
            });
    held.value = value;
  }
}
