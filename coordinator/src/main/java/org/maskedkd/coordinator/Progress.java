package org.maskedkd.coordinator;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.spi.LoggingEventBuilder;

/**
 * What is seen of a run: one line that is rewritten where the output is a terminal, else a line
 * every now and then; a line for each evaluation and for whatever else should be known. Where
 * nothing but JSON may be printed these lines are events of the log, with their numbers as fields.
 * Event loop only.
 */
public final class Progress implements Notices {

  private static final Logger LOG = LoggerFactory.getLogger(Progress.class);
  private static final String REWRITE = "\r\u001b[K";
  private static final Duration LIVE = Duration.ofMillis(200);

  private final @Nullable PrintStream out;
  private final boolean live;
  private final Duration every;
  private final LongSupplier nanoTime;
  private boolean lineOpen;
  private long shownNanos;
  private boolean shown;
  private long beganNanos;
  private long stepNanos;
  private long first;
  private long last;
  private int epochs;
  private long step;
  private long images;
  private double secondsPerStep;
  private double stepSeconds;
  private double studentBusy;
  private double teacherBusy;
  private @Nullable Double evaluated;

  /**
   * @param live whether {@code out} is a terminal
   * @param every how often a line is printed where it is none
   */
  public Progress(PrintStream out, boolean live, Duration every, LongSupplier nanoTime) {
    this(nanoTime, out, live, live ? LIVE : every);
  }

  private Progress(LongSupplier nanoTime, @Nullable PrintStream out, boolean live, Duration every) {
    this.nanoTime = nanoTime;
    this.out = out;
    this.live = live;
    this.every = every;
  }

  /**
   * Prints nothing and logs everything.
   *
   * @param every how often a step is logged
   */
  public static Progress logged(Duration every, LongSupplier nanoTime) {
    return new Progress(nanoTime, /* out= */ null, /* live= */ false, every);
  }

  /**
   * Whether this process's standard output is a terminal. A console that is there says nothing of
   * standard output, and from JDK 22 on there is always one.
   */
  public static boolean onTerminal() {
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/1")).toString();
      return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty");
    } catch (IOException e) {
      LOG.debug("cannot tell where standard output goes; taking it for no terminal", e);
      return false;
    }
  }

  /** Something a person should know, at once. */
  @Override
  public void note(String message) {
    say(message, Map.of());
  }

  @Override
  public void warn(String message) {
    if (out == null) {
      log(LOG.atWarn(), message, Map.of());
    } else {
      Notices.super.warn(message);
    }
  }

  void begin(long fromStep, long lastStep, int ofEpochs) {
    first = fromStep;
    step = fromStep;
    last = lastStep;
    epochs = ofEpochs;
    beganNanos = nanoTime.getAsLong();
    stepNanos = beganNanos;
  }

  void step(StepLine line) {
    long now = nanoTime.getAsLong();
    double took = (now - stepNanos) / 1e9;
    stepNanos = now;
    secondsPerStep = step == first ? took : 0.9 * secondsPerStep + 0.1 * took;
    step = line.step();
    images += line.images();
    stepSeconds += line.stepSeconds();
    studentBusy += line.studentBusySeconds();
    if (line.teacherBusySeconds() != null && line.teachers() != null) {
      teacherBusy += line.teacherBusySeconds() / Math.max(1, line.teachers());
    }
    if (due(now) || step == last) {
      show(describe(line), fields(line));
    }
  }

  void evaluating(long done, long of) {
    if (live) {
      show(String.format(Locale.ROOT, "evaluating %d/%d", done, of), Map.of());
    }
  }

  void epoch(EpochLine line) {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "epoch %d/%d  step %d  train loss %.4f  train %s",
            line.epoch() + 1,
            epochs,
            line.step(),
            line.trainLoss(),
            percent(line.trainTop1())));
    append(text, "  masked teacher ", line.teacherTrainTop1());
    append(text, "  top-1 ", line.top1());
    append(text, "  top-5 ", line.top5());
    append(text, "  averaged top-1 ", line.emaTop1());
    if (line.best()) {
      text.append("  best so far");
    }
    if (line.top1() != null) {
      evaluated = line.bestTop1();
    }
    say(text.toString(), fields(line));
    // The evaluation's time is no step's time.
    stepNanos = nanoTime.getAsLong();
  }

  /** The last words. */
  void end(String outcome) {
    double seconds = (nanoTime.getAsLong() - beganNanos) / 1e9;
    say(
        String.format(
            Locale.ROOT,
            "%s: %d steps, %d images in %s, %.0f images/s; student busy %s, teachers busy %s",
            outcome,
            step - first,
            images,
            clock(seconds),
            stepSeconds > 0 ? images / stepSeconds : 0,
            percent(stepSeconds > 0 ? studentBusy / stepSeconds : 0),
            percent(stepSeconds > 0 ? teacherBusy / stepSeconds : 0)),
        fields("steps", step - first, "images", images, "seconds", seconds));
  }

  private boolean due(long now) {
    if (shown && now - shownNanos < every.toNanos()) {
      return false;
    }
    shown = true;
    shownNanos = now;
    return true;
  }

  private String describe(StepLine line) {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "epoch %d/%d  step %d/%d  %.0f images/s  loss %.4f (label %.4f",
            line.epoch() + 1,
            epochs,
            line.step(),
            last,
            line.imagesPerSecond(),
            line.loss(),
            line.lossBase()));
    if (line.lossDistillation() != null) {
      text.append(String.format(Locale.ROOT, ", teacher %.4f", line.lossDistillation()));
    }
    if (line.lossManifold() != null) {
      text.append(String.format(Locale.ROOT, ", manifold %.4f", line.lossManifold()));
    }
    if (line.lossAttention() != null) {
      text.append(String.format(Locale.ROOT, ", attention %.4f", line.lossAttention()));
    }
    text.append(")  train ").append(percent(line.studentTop1()));
    append(text, "  masked teacher ", line.teacherTop1());
    append(text, "  eval ", evaluated);
    return text.append("  left ").append(clock(secondsPerStep * (last - step))).toString();
  }

  private static void append(StringBuilder text, String name, @Nullable Double share) {
    if (share != null) {
      text.append(name).append(percent(share));
    }
  }

  /** As in {@code metrics.jsonl}. */
  private Map<String, @Nullable Object> fields(StepLine line) {
    return fields(
        "step", line.step(),
        "epoch", line.epoch(),
        "images_per_second", line.imagesPerSecond(),
        "loss", line.loss(),
        "loss_base", line.lossBase(),
        "loss_distillation", line.lossDistillation(),
        "loss_manifold", line.lossManifold(),
        "loss_attention", line.lossAttention(),
        "student_top1", line.studentTop1(),
        "teacher_top1", line.teacherTop1(),
        "seconds_left", secondsPerStep * (last - step));
  }

  /** As in {@code epochs.jsonl}. */
  private static Map<String, @Nullable Object> fields(EpochLine line) {
    return fields(
        "step", line.step(),
        "epoch", line.epoch(),
        "train_loss", line.trainLoss(),
        "train_top1", line.trainTop1(),
        "teacher_train_top1", line.teacherTrainTop1(),
        "top1", line.top1(),
        "top5", line.top5(),
        "ema_top1", line.emaTop1(),
        "best", line.best());
  }

  private static Map<String, @Nullable Object> fields(@Nullable Object... namesAndValues) {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      fields.put(String.valueOf(namesAndValues[i]), namesAndValues[i + 1]);
    }
    return fields;
  }

  private void say(String line, Map<String, @Nullable Object> fields) {
    PrintStream terminal = out;
    if (terminal == null) {
      log(LOG.atInfo(), line, fields);
      return;
    }
    LOG.debug("{}", line);
    if (lineOpen) {
      terminal.print(REWRITE);
      lineOpen = false;
    }
    terminal.println(line);
    terminal.flush();
  }

  private void show(String line, Map<String, @Nullable Object> fields) {
    PrintStream terminal = out;
    if (terminal == null) {
      log(LOG.atInfo(), line, fields);
      return;
    }
    if (live) {
      terminal.print(REWRITE + line);
      lineOpen = true;
    } else {
      terminal.println(line);
    }
    terminal.flush();
  }

  /** As a built event, since the limit on lines of a kind would take them all for one kind. */
  private static void log(
      LoggingEventBuilder event, String line, Map<String, @Nullable Object> fields) {
    for (Map.Entry<String, @Nullable Object> field : fields.entrySet()) {
      if (field.getValue() != null) {
        event = event.addKeyValue(field.getKey(), field.getValue());
      }
    }
    event.log(line);
  }

  static String percent(double share) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * share);
  }

  static String clock(double seconds) {
    long whole = Math.round(seconds);
    return String.format(Locale.ROOT, "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
  }
}
