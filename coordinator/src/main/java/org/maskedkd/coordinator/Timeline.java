package org.maskedkd.coordinator;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.maskedkd.schedule.Operation;
import org.maskedkd.schedule.Span;
import org.maskedkd.schedule.StepPicture;
import org.maskedkd.schedule.SvgDrawing;

/**
 * The last steps as pictures: {@code timeline.json} in the format of Chrome's traces, which
 * Perfetto opens, one process per device, with arrows along the way of each micro-batch; and {@code
 * timeline.svg}, the last step.
 */
final class Timeline {

  static final String TRACE = "timeline.json";
  static final String PICTURE = "timeline.svg";

  private final int most;
  private final RunDirectory directory;
  private final Deque<MeasuredStep> steps = new ArrayDeque<>();
  private boolean written = true;

  /**
   * @param most steps to keep; 0 to write nothing
   */
  Timeline(int most, RunDirectory directory) {
    this.most = most;
    this.directory = directory;
  }

  void add(MeasuredStep step) {
    steps.addLast(step);
    if (steps.size() > most) {
      steps.removeFirst();
    }
    written = steps.isEmpty();
  }

  /** Replaces both files, if there is anything new. */
  void write() {
    if (written) {
      return;
    }
    written = true;
    directory.replace(TRACE, trace());
    MeasuredStep last = steps.getLast();
    directory.replace(
        PICTURE,
        SvgDrawing.draw(
            List.of(
                new StepPicture(
                    String.format(
                        Locale.ROOT,
                        "step %d, %s, measured",
                        last.step(),
                        last.schedule().order().text()),
                    last.spans(),
                    last.teachers(),
                    last.start(),
                    last.end())),
            "s",
            true));
  }

  private String trace() {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = JsonLines.JSON.createGenerator(text)) {
      double origin = steps.getFirst().start();
      json.writeStartObject();
      json.writeStringField("displayTimeUnit", "ms");
      json.writeObjectField(
          "otherData", Map.of("clock_error_seconds", finite(steps.getLast().clockError())));
      json.writeArrayFieldStart("traceEvents");
      for (int device = 0; device <= steps.getLast().teachers(); device++) {
        name(json, "process_name", device, StepLine.deviceName(device));
        name(json, "thread_name", device, "device");
      }
      for (MeasuredStep step : steps) {
        marker(json, step, origin);
        for (Span span : step.spans()) {
          if (span.operation() == Operation.LOOK_AHEAD && span.device() != Span.STUDENT) {
            // The next step has it too, as its own.
            continue;
          }
          span(json, step, span, origin);
        }
        for (List<Span> way : ways(step).values()) {
          for (int i = 1; i < way.size(); i++) {
            arrow(json, step, way.get(i - 1), way.get(i), origin);
          }
        }
      }
      json.writeEndArray();
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return text.append('\n').toString();
  }

  private static double finite(double seconds) {
    return Double.isInfinite(seconds) ? -1 : seconds;
  }

  /** The spans of each micro-batch, in order of time. */
  private static Map<Integer, List<Span>> ways(MeasuredStep step) {
    Map<Integer, List<Span>> ways = new TreeMap<>();
    for (Span span : step.spans()) {
      if (span.operation().hasIndex()
          && span.operation() != Operation.LOOK_AHEAD
          && span.operation() != Operation.CHOOSE) {
        ways.computeIfAbsent(span.index(), i -> new ArrayList<>()).add(span);
      }
    }
    ways.values().forEach(way -> way.sort(Comparator.comparingDouble(Span::start)));
    return ways;
  }

  private static void name(JsonGenerator json, String what, int device, String name)
      throws IOException {
    json.writeStartObject();
    json.writeStringField("ph", "M");
    json.writeStringField("name", what);
    json.writeNumberField("pid", device);
    json.writeNumberField("tid", 0);
    json.writeObjectField("args", Map.of("name", name));
    json.writeEndObject();
  }

  private static void marker(JsonGenerator json, MeasuredStep step, double origin)
      throws IOException {
    begin(json, "i", "step " + step.step(), Span.STUDENT, step.start() - origin);
    json.writeStringField("s", "g");
    json.writeEndObject();
  }

  private static void span(JsonGenerator json, MeasuredStep step, Span span, double origin)
      throws IOException {
    boolean one = span.operation().hasIndex();
    String name = span.operation().letter() + (one ? Integer.toString(span.index()) : "");
    begin(json, "X", name, span.device(), span.start() - origin);
    json.writeStringField("cat", span.operation().name().toLowerCase(Locale.ROOT));
    json.writeNumberField("dur", microseconds(span.duration()));
    Map<String, Object> arguments = new TreeMap<>(Map.of("step", step.step()));
    if (one) {
      List<Integer> sizes =
          span.operation() == Operation.LOOK_AHEAD
              ? step.schedule().ahead()
              : step.schedule().sizes();
      arguments.put("samples", sizes.get(span.index()));
    }
    json.writeObjectField("args", arguments);
    json.writeEndObject();
  }

  private static void arrow(
      JsonGenerator json, MeasuredStep step, Span from, Span to, double origin) throws IOException {
    String id = step.step() + "." + from.operation().letter() + from.index();
    String name = from.operation() == Operation.TEACHER ? "signal" : "patches";
    // An arrow starts and ends inside of slices, so the first moment before the end is named.
    begin(json, "s", name, from.device(), Math.max(from.start(), from.end() - 1e-6) - origin);
    json.writeStringField("cat", "flow");
    json.writeStringField("id", id);
    json.writeEndObject();
    begin(json, "f", name, to.device(), to.start() - origin);
    json.writeStringField("cat", "flow");
    json.writeStringField("id", id);
    json.writeStringField("bp", "e");
    json.writeEndObject();
  }

  /** An event left open. */
  private static void begin(
      JsonGenerator json, String phase, String name, int device, double seconds)
      throws IOException {
    json.writeStartObject();
    json.writeStringField("ph", phase);
    json.writeStringField("name", name);
    json.writeNumberField("pid", device);
    json.writeNumberField("tid", 0);
    json.writeNumberField("ts", microseconds(seconds));
  }

  private static double microseconds(double seconds) {
    return Math.round(seconds * 1e9) / 1e3;
  }
}
