package org.maskedkd.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * What an arm of the demo came to, read from its run directory.
 *
 * @param top1 share of the evaluation images, after the last epoch
 * @param images evaluation images
 * @param imagesPerSecond training images over the time that the steps took
 * @param studentBusy share of the steps' time in which the student's device computed
 * @param teacherBusy the same of the teacher's; 0 without one
 */
record DemoResult(
    double top1, long images, double imagesPerSecond, double studentBusy, double teacherBusy) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * @throws RunException if the run left no evaluation behind
   */
  static DemoResult of(Path run) {
    try {
      List<JsonNode> epochs = lines(run.resolve("epochs.jsonl"));
      JsonNode last = epochs.get(epochs.size() - 1);
      double images = 0;
      double seconds = 0;
      double student = 0;
      double teacher = 0;
      for (JsonNode step : lines(run.resolve("metrics.jsonl"))) {
        images += step.path("images").asDouble();
        seconds += step.path("step_seconds").asDouble();
        student += step.path("student_busy_seconds").asDouble();
        teacher += step.path("teacher_busy_seconds").asDouble();
      }
      return new DemoResult(
          last.path("top1").asDouble(),
          last.path("images").asLong(),
          images / seconds,
          student / seconds,
          teacher / seconds);
    } catch (IOException | IndexOutOfBoundsException e) {
      throw new RunException(
          ExitCode.INTERNAL, "the run in " + run + " left no results to read: " + e, e);
    }
  }

  private static List<JsonNode> lines(Path file) throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      lines.add(JSON.readTree(line));
    }
    return lines;
  }

  /** Standard error of {@link #top1}. */
  double standardError() {
    return Math.sqrt(top1 * (1 - top1) / images);
  }
}
