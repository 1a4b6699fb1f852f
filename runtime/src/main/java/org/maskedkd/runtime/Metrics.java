package org.maskedkd.runtime;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmInfoMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.prometheus.metrics.instrumentation.jvm.ProcessMetrics;
import io.prometheus.metrics.model.snapshots.Labels;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The numbers that a process shows of itself: those of {@link Metric}, the JVM's, the process's and
 * gRPC's. Counters whose labels are known are there from the start with 0, since a query that asks
 * how much a counter grew does not see its first value. Thread-safe.
 */
public final class Metrics implements AutoCloseable {
  private static final Duration[] BUCKETS =
      Stream.of(5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000)
          .map(Duration::ofMillis)
          .toArray(Duration[]::new);

  private final PrometheusMeterRegistry registry;
  private final Role role;
  private final JvmGcMetrics garbageCollection = new JvmGcMetrics();
  private final Map<Series, Counter> counters = new ConcurrentHashMap<>();
  private final Map<Series, Held> gauges = new ConcurrentHashMap<>();
  private final Map<Metric, Timer> timers = new ConcurrentHashMap<>();

  private record Series(Metric metric, List<String> values) {}

  /** A gauge and its last value. */
  private static final class Held {
    volatile double value;
    @Nullable Gauge gauge;
  }

  /**
   * A registry of its own.
   *
   * @param role label {@code role} of every metric
   */
  public Metrics(Role role) {
    this.role = role;
    registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    // Addresses of peers: there is another one after each restart.
    registry
        .config()
        .commonTags("role", role.text())
        .meterFilter(MeterFilter.ignoreTags("net.peer.name", "net.peer.port"));
    garbageCollection.bindTo(registry);
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new JvmInfoMetrics().bindTo(registry);
    ProcessMetrics.builder()
        .constLabels(Labels.of("role", role.text()))
        .register(registry.getPrometheusRegistry());
    for (Metric metric : Metric.values()) {
      if (metric.kind() == Metric.Kind.COUNTER && metric.roles().contains(role)) {
        series(metric).forEach(values -> counter(metric, values));
      }
    }
    set(Metric.BUILD_INFO, 1, Release.version());
  }

  /** Every combination of values of its labels; none if some are not known beforehand. */
  private static List<List<String>> series(Metric metric) {
    List<List<String>> all = List.of(List.of());
    for (Metric.Label label : metric.labels()) {
      List<List<String>> longer = new ArrayList<>();
      for (List<String> values : all) {
        for (String value : label.values()) {
          longer.add(Stream.concat(values.stream(), Stream.of(value)).toList());
        }
      }
      all = longer;
    }
    return all;
  }

  /** What {@link Management} serves. */
  public PrometheusMeterRegistry registry() {
    return registry;
  }

  /** Adds 1. */
  public void add(Metric counter, String... labels) {
    add(counter, 1, labels);
  }

  /**
   * @param amount 0 or more
   * @param labels values in the order of {@link Metric#labels}
   * @throws IllegalArgumentException for a metric of another kind or process, or a label's value
   *     that its list does not have
   */
  public void add(Metric counter, double amount, String... labels) {
    counter(counter, List.of(labels)).increment(amount);
  }

  /**
   * @param labels values in the order of {@link Metric#labels}
   * @throws IllegalArgumentException as {@link #add(Metric, double, String...)}
   */
  public void set(Metric gauge, double value, String... labels) {
    gauges.computeIfAbsent(new Series(gauge, List.of(labels)), this::gauge).value = value;
  }

  /** Takes a gauge away whose labels speak of something that is no more. */
  public void remove(Metric gauge, String... labels) {
    Held held = gauges.remove(new Series(gauge, List.of(labels)));
    if (held != null && held.gauge != null) {
      registry.remove(held.gauge);
    }
  }

  /** Adds to a histogram without labels. */
  public void record(Metric histogram, Duration took) {
    timers.computeIfAbsent(histogram, this::timer).record(took);
  }

  @Override
  public void close() {
    garbageCollection.close();
    registry.close();
  }

  private Counter counter(Metric metric, List<String> values) {
    return counters.computeIfAbsent(
        new Series(metric, values),
        s ->
            Counter.builder(meter(metric, Metric.Kind.COUNTER, "_total"))
                .description(metric.help())
                .tags(tags(s))
                .register(registry));
  }

  private Held gauge(Series series) {
    Held fresh = new Held();
    fresh.gauge =
        Gauge.builder(meter(series.metric, Metric.Kind.GAUGE, ""), fresh, h -> h.value)
            .description(series.metric.help())
            .tags(tags(series))
            .register(registry);
    return fresh;
  }

  private Timer timer(Metric metric) {
    return Timer.builder(meter(metric, Metric.Kind.HISTOGRAM, "_seconds"))
        .description(metric.help())
        .serviceLevelObjectives(BUCKETS)
        .register(registry);
  }

  /** The name without what the registry puts behind it. */
  private String meter(Metric metric, Metric.Kind kind, String suffix) {
    if (metric.kind() != kind || !metric.text().endsWith(suffix)) {
      throw new IllegalArgumentException(metric + " is a " + metric.kind() + ", not a " + kind);
    }
    if (!metric.roles().contains(role)) {
      throw new IllegalArgumentException(metric + " is none of a " + role.text());
    }
    String name = metric.text().substring(0, metric.text().length() - suffix.length());
    // As Micrometer writes names; of "_info" it would keep nothing.
    return name.replace('_', '.');
  }

  private static Set<Tag> tags(Series series) {
    List<Metric.Label> labels = series.metric.labels();
    if (labels.size() != series.values.size()) {
      throw new IllegalArgumentException(
          "%s has the labels %s, found the values %s"
              .formatted(series.metric, labels, series.values));
    }
    Tag[] tags = new Tag[labels.size()];
    for (int i = 0; i < tags.length; i++) {
      Metric.Label label = labels.get(i);
      String value = series.values.get(i);
      if (!label.values().isEmpty() && !label.values().contains(value)) {
        throw new IllegalArgumentException(
            "%s has no %s '%s', only %s"
                .formatted(series.metric, label.name(), value, label.values()));
      }
      tags[i] = Tag.of(label.name(), value);
    }
    return Set.of(tags);
  }
}
