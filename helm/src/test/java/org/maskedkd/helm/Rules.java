package org.maskedkd.helm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.maskedkd.runtime.Metric;
import org.maskedkd.runtime.Role;

/** The rules for Prometheus, and what there is for them to ask for. */
final class Rules {
  static final Path FOLDER = Chart.FOLDER.resolve("rules");

  /** Metrics of others, and why they may be asked for. */
  private static final Map<String, String> OTHERS =
      Map.ofEntries(
          Map.entry("up", "Prometheus's own"),
          Map.entry("grpc_client_seconds_count", "of Micrometer, in coordinators"),
          Map.entry("process_open_fds", "of the metrics library, in every process"),
          Map.entry("DCGM_FI_DEV_FB_USED", "of NVIDIA's DCGM exporter"),
          Map.entry("DCGM_FI_DEV_GPU_UTIL", "the same"),
          Map.entry("DCGM_FI_DEV_XID_ERRORS", "the same"),
          Map.entry("process_cpu_seconds_total", "of the metrics library, in every process"),
          Map.entry("process_resident_memory_bytes", "the same"),
          Map.entry("process_start_time_seconds", "the same"),
          Map.entry("jvm_gc_pause_seconds_sum", "of Micrometer, in every process"),
          Map.entry("jvm_memory_committed_bytes", "the same"),
          Map.entry("jvm_memory_used_bytes", "the same"),
          Map.entry("kube_job_failed", "of kube-state-metrics: that a Job has ended"),
          Map.entry("kube_pod_container_resource_limits", "the same: limits"),
          Map.entry("kube_pod_init_container_resource_limits", "the same: of the student"),
          Map.entry("kube_pod_container_status_restarts_total", "the same: restarts"),
          Map.entry("kube_pod_init_container_status_restarts_total", "the same: of the student"),
          Map.entry("kubelet_volume_stats_available_bytes", "of the kubelet: room on a volume"));

  /** Labels that whoever scrapes gives, or that a rule makes, with the values of the latter. */
  private static final Map<String, List<String>> MADE =
      Map.of("side", List.of("student", "teacher"));

  private Rules() {}

  static List<JsonNode> groups(String file) {
    try {
      JsonNode document = Manifests.parse(Files.readString(FOLDER.resolve(file))).get(0);
      return document.path("groups").valueStream().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static List<JsonNode> rules(String file) {
    return groups(file).stream().flatMap(group -> group.path("rules").valueStream()).toList();
  }

  static Set<String> alerts() {
    return names("alerts.yaml", "alert");
  }

  static Set<String> recorded() {
    return names("recording.yaml", "record");
  }

  private static Set<String> names(String file, String field) {
    return rules(file).stream()
        .map(rule -> rule.path(field).asText())
        .collect(Collectors.toUnmodifiableSet());
  }

  /** Whether there is such a series at all: of our program, of a rule, or allowed. */
  static boolean exists(String series) {
    return OTHERS.containsKey(series)
        || recorded().contains(series)
        || Arrays.stream(Metric.values()).anyMatch(metric -> isOf(series, metric));
  }

  /** Whether it is the metric, or a series of its histogram. */
  static boolean isOf(String series, Metric metric) {
    return metric.kind() == Metric.Kind.HISTOGRAM
        ? Set.of("_sum", "_count", "_bucket", "_max").stream()
            .anyMatch(suffix -> series.equals(metric.text() + suffix))
        : series.equals(metric.text());
  }

  /** What an expression names of labels of ours and their values, but nothing has; a line each. */
  static List<String> unknownLabels(String expression) {
    return Query.series(expression).stream()
        .filter(series -> series.name().contains("maskedkd"))
        .flatMap(
            series ->
                series.labels().entrySet().stream()
                    .flatMap(
                        label ->
                            label.getValue().stream()
                                .filter(value -> !has(series.name(), label.getKey(), value))
                                .map(v -> series.name() + ": " + label.getKey() + "=" + v)))
        .toList();
  }

  private static boolean has(String series, String label, String value) {
    if (value.startsWith("$")) {
      // A dashboard's variable.
      return true;
    }
    if (label.equals("role")) {
      return Arrays.stream(Role.values()).anyMatch(role -> role.text().equals(value));
    }
    if (MADE.containsKey(label)) {
      return MADE.get(label).contains(value);
    }
    // A recorded series has the labels of what it was made of, whose name is in its own.
    return Arrays.stream(Metric.values())
        .filter(metric -> recorded().contains(series) || isOf(series, metric))
        .flatMap(metric -> metric.labels().stream())
        .filter(known -> known.name().equals(label))
        .anyMatch(known -> known.values().isEmpty() || known.values().contains(value));
  }

  /** All expressions of the rules. */
  static List<String> expressions() {
    return Stream.of("recording.yaml", "alerts.yaml")
        .flatMap(file -> rules(file).stream())
        .map(rule -> rule.path("expr").asText())
        .toList();
  }
}
