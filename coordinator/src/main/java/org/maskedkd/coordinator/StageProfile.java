package org.maskedkd.coordinator;

import com.fasterxml.jackson.annotation.JsonIgnore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.ProfilePoint;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.schedule.Cost;
import org.maskedkd.schedule.CostFit;
import org.maskedkd.schedule.CostFit.Point;
import org.maskedkd.schedule.Costs;
import org.maskedkd.schedule.Interference;

/**
 * What the running stages cost, {@code profile.json} of a run: bare computing times by size, and
 * what was seen between the stages in the steps before. Times are in seconds.
 *
 * @param step the one that came next
 * @param forward of the student, with saliency and selection
 * @param teacher of the teacher that was fastest
 * @param indicesSeconds from the end of a forward to the start of the teacher's
 * @param signalsSeconds from the end of a teacher's forward to the start of the backward
 * @param slowness per teacher, how much slower than the fastest
 * @param teacherResidentBytes of the largest teacher process
 * @param together how student and teachers slow each other
 */
public record StageProfile(
    long step,
    List<Point> forward,
    List<Point> backward,
    List<Point> teacher,
    double optimizerSeconds,
    double indicesSeconds,
    double signalsSeconds,
    List<Double> slowness,
    double clockErrorSeconds,
    Memory studentMemory,
    long teacherResidentBytes,
    Together together) {

  /**
   * What a task takes with all stages at work, against what it takes alone.
   *
   * @param teacher mean of the teachers
   */
  public record Together(double forward, double backward, double teacher) {

    static final Together NONE = new Together(1, 1, 1);

    /** Less is noise. */
    private static final double LEAST = 1.03;

    Interference interference() {
      return new Interference(felt(forward), felt(backward), felt(teacher));
    }

    private static double felt(double factor) {
      return factor < LEAST ? 1 : factor;
    }
  }

  /** The student's resident memory, by the samples whose activations it holds. */
  public record Memory(long fixedBytes, long bytesPerSample) {

    /** The line through the smallest and the largest forward. */
    static Memory of(List<ProfilePoint> points) {
      List<ProfilePoint> forwards =
          points.stream().filter(point -> point.getOperation().equals("forward")).toList();
      ProfilePoint least = forwards.get(0);
      ProfilePoint most = forwards.get(forwards.size() - 1);
      long perSample =
          Math.max(0, most.getResidentBytes() - least.getResidentBytes())
              / Math.max(1, most.getSamples() - least.getSamples());
      return new Memory(
          Math.max(0, most.getResidentBytes() - perSample * most.getSamples()), perSample);
    }

    long bytes(int samples) {
      return fixedBytes + bytesPerSample * samples;
    }
  }

  static final String FILE = "profile.json";

  /** The points of one operation. */
  static List<Point> points(List<ProfilePoint> all, String operation) {
    return all.stream()
        .filter(point -> point.getOperation().equals(operation))
        .map(point -> new Point(point.getSamples(), point.getSeconds()))
        .toList();
  }

  /** The fastest teacher's points, and by place how much slower each one is. */
  record Teachers(List<Point> fastest, List<Double> slowness) {

    static Teachers of(Map<Integer, List<Point>> byPlace) {
      Map<Integer, Double> sums = new TreeMap<>();
      byPlace.forEach(
          (place, points) -> sums.put(place, points.stream().mapToDouble(Point::seconds).sum()));
      Collection<Double> all = sums.values();
      double least = all.stream().mapToDouble(Double::doubleValue).min().orElse(1);
      List<Point> fastest = List.of();
      List<Double> slowness = new ArrayList<>();
      for (Map.Entry<Integer, Double> sum : sums.entrySet()) {
        slowness.add(sum.getValue() / least);
        if (sum.getValue() == least) {
          fastest = byPlace.getOrDefault(sum.getKey(), List.of());
        }
      }
      return new Teachers(fastest, slowness);
    }
  }

  /**
   * What a run directory holds; null if its stages never timed themselves.
   *
   * @throws RunException with {@link ExitCode#BAD_DATA} if the file is damaged
   */
  public static @Nullable StageProfile read(Path run) {
    Path file = run.resolve(FILE);
    if (!Files.exists(file)) {
      return null;
    }
    try {
      return JsonLines.JSON.readValue(file.toFile(), StageProfile.class);
    } catch (IOException e) {
      throw new RunException(ExitCode.BAD_DATA, file + " cannot be read: " + e.getMessage(), e);
    }
  }

  /** What the points say, the latencies, and how the stages slow each other. */
  @JsonIgnore
  public Costs costs() {
    return new Costs(
        cost(forward),
        cost(teacher),
        cost(backward),
        samples -> indicesSeconds,
        samples -> signalsSeconds,
        optimizerSeconds,
        together.interference());
  }

  /** Seconds that a task or a way takes whatever its size, by operation: of a line through them. */
  @JsonIgnore
  public Map<String, Double> fixed() {
    Map<String, Double> fixed = new LinkedHashMap<>();
    fixed.put("forward", fixed(forward));
    fixed.put("teacher", fixed(teacher));
    fixed.put("backward", fixed(backward));
    fixed.put("indices", indicesSeconds);
    fixed.put("signals", signalsSeconds);
    fixed.put("optimizer", optimizerSeconds);
    return fixed;
  }

  /** One line per operation, for people. */
  @JsonIgnore
  List<String> describe() {
    List<String> lines = new ArrayList<>();
    Map<String, List<Point>> all =
        new TreeMap<>(Map.of("forward", forward, "backward", backward, "teacher", teacher));
    all.forEach(
        (name, points) -> {
          if (points.size() > 1) {
            CostFit fit = CostFit.of(points);
            lines.add(
                String.format(
                    Locale.ROOT,
                    "%s %.3g ms + %.3g ms an image (fitted within %.1f %%)",
                    name,
                    1e3 * fit.fixed(),
                    1e3 * fit.perSample(),
                    100 * fit.residual()));
          }
        });
    lines.add(
        String.format(
            Locale.ROOT,
            "patches to a teacher %.3g ms, gradient to the student %.3g ms, optimizer %.3g ms",
            1e3 * indicesSeconds,
            1e3 * signalsSeconds,
            1e3 * optimizerSeconds));
    if (!together.interference().equals(Interference.NONE)) {
      lines.add(
          String.format(
              Locale.ROOT,
              "while the other side computes too, a forward takes %.2f times as long, a backward"
                  + " %.2f, a teacher's forward %.2f",
              together.forward(),
              together.backward(),
              together.teacher()));
    }
    return lines;
  }

  private static double fixed(List<Point> points) {
    return points.size() < 2 ? 0 : CostFit.of(points).fixed();
  }

  private static Cost cost(List<Point> points) {
    return switch (points.size()) {
      case 0 -> Cost.NONE;
      case 1 -> Cost.linear(0, points.get(0).seconds() / points.get(0).samples());
      default -> Cost.through(points);
    };
  }
}
