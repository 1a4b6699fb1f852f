package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;
import org.slf4j.event.KeyValuePair;

class ProgressTest {

  private final ByteArrayOutputStream output = new ByteArrayOutputStream();
  private long nanos;

  @Test
  void step_notOnATerminal_printsALineNowAndThen() {
    Progress progress = progress(/* live= */ false);
    progress.begin(0, 100, 5);

    for (int step = 1; step <= 25; step++) {
      nanos += Duration.ofSeconds(1).toNanos();
      progress.step(line(step, 0.5));
    }

    assertThat(printed().lines())
        .containsExactly(
            "epoch 1/5  step 1/100  40 images/s  loss 2.0000 (label 2.5000, teacher 1.5000)"
                + "  train 25.0 %  masked teacher 50.0 %  left 0:01:39",
            "epoch 1/5  step 11/100  40 images/s  loss 2.0000 (label 2.5000, teacher 1.5000)"
                + "  train 25.0 %  masked teacher 50.0 %  left 0:01:29",
            "epoch 1/5  step 21/100  40 images/s  loss 2.0000 (label 2.5000, teacher 1.5000)"
                + "  train 25.0 %  masked teacher 50.0 %  left 0:01:19");
  }

  @Test
  void step_onATerminal_rewritesOneLineAndNotesStandAlone() {
    Progress progress = progress(/* live= */ true);
    progress.begin(0, 2, 1);
    nanos += Duration.ofHours(1).toNanos();

    progress.step(line(1, null));
    progress.note("a teacher is away");

    assertThat(printed())
        .isEqualTo(
            "\r\u001b[Kepoch 1/1  step 1/2  40 images/s  loss 2.0000 (label 2.5000)"
                + "  train 25.0 %  left 1:00:00\r\u001b[Ka teacher is away\n");
  }

  @Test
  void epoch_withEvaluation_isShownFromThenOn() {
    Progress progress = progress(/* live= */ false);
    progress.begin(0, 2, 2);
    progress.epoch(
        new EpochLine(0, 1, 1.5, 0.4, 0.6, 10L, 1.2, 0.5, 0.9, 0.55, 0.92, 3.0, /* best= */ true));
    progress.step(line(2, 0.5));
    progress.end("done");

    assertThat(printed().lines())
        .containsExactly(
            "epoch 1/2  step 1  train loss 1.5000  train 40.0 %  masked teacher 60.0 %"
                + "  top-1 50.0 %  top-5 90.0 %  averaged top-1 55.0 %  best so far",
            "epoch 1/2  step 2/2  40 images/s  loss 2.0000 (label 2.5000, teacher 1.5000)"
                + "  train 25.0 %  masked teacher 50.0 %  eval 55.0 %  left 0:00:00",
            "done: 2 steps, 20 images in 0:00:00, 40 images/s; student busy 60.0 %, teachers busy"
                + " 40.0 %");
  }

  @Test
  void lines_logged_areEventsWithTheirNumbersAndNothingIsPrinted() {
    Logger logger = (Logger) LoggerFactory.getLogger(Progress.class);
    ListAppender<ILoggingEvent> events = new ListAppender<>();
    events.start();
    logger.addAppender(events);
    Progress progress = Progress.logged(Duration.ofSeconds(10), () -> nanos);
    try {
      progress.begin(0, 2, 1);
      nanos += Duration.ofSeconds(1).toNanos();
      progress.step(line(1, null));
      progress.evaluating(1, 10);
      progress.note("a teacher {} is there again");
      progress.warn("no checkpoint of step 1");
      progress.epoch(
          new EpochLine(
              0, 1, 1.5, 0.4, null, null, null, null, null, null, null, null, /* best= */ false));
      progress.end("done");
    } finally {
      logger.detachAppender(events);
    }

    assertThat(events.list)
        .extracting(event -> event.getLevel() + " " + event.getFormattedMessage())
        .containsExactly(
            "INFO epoch 1/1  step 1/2  40 images/s  loss 2.0000 (label 2.5000)"
                + "  train 25.0 %  left 0:00:01",
            "INFO a teacher {} is there again",
            "WARN no checkpoint of step 1",
            "INFO epoch 1/1  step 1  train loss 1.5000  train 40.0 %",
            "INFO done: 1 steps, 20 images in 0:00:01, 40 images/s; student busy 60.0 %, teachers"
                + " busy 0.0 %");
    assertThat(fields(events.list.get(0)))
        .containsExactly(
            "step=\"1\"",
            "epoch=\"0\"",
            "images_per_second=\"40.0\"",
            "loss=\"2.0\"",
            "loss_base=\"2.5\"",
            "student_top1=\"0.25\"",
            "seconds_left=\"1.0\"");
    assertThat(fields(events.list.get(3)))
        .containsExactly(
            "step=\"1\"",
            "epoch=\"0\"",
            "train_loss=\"1.5\"",
            "train_top1=\"0.4\"",
            "best=\"false\"");
    assertThat(fields(events.list.get(4)))
        .containsExactly("steps=\"1\"", "images=\"20\"", "seconds=\"1.0\"");
    assertThat(printed()).isEmpty();
  }

  private static List<String> fields(ILoggingEvent event) {
    return event.getKeyValuePairs().stream().map(KeyValuePair::toString).toList();
  }

  @Test
  void warn_onATerminal_saysThatItIsAWarning() {
    progress(/* live= */ false).warn("no checkpoint of step 1");

    assertThat(printed()).isEqualTo("WARNING: no checkpoint of step 1\n");
  }

  @Test
  void means_ofAnEpoch_weighStepsByTheirImages() {
    EpochMeans means = new EpochMeans();
    means.add(
        new StepLine(
            9, 0, 1, 1, 7, 99, 0, null, null, null, 1, null, 1, 1, 0, 0, 1, 1, null, null, null,
            null, null, null));
    means.add(
        new StepLine(
            10, 1, 1, 1, 30, 1, 0, 0., null, null, 0.5, 0.2, 1, 1, 0, 0, 1, 1, 1., 1, 0L, null,
            null, null));
    means.add(
        new StepLine(
            11, 1, 1, 1, 10, 5, 0, 0., null, null, 0.1, 1.0, 1, 1, 0, 0, 1, 1, 1., 1, 0L, null,
            null, null));

    assertThat(means.loss()).isCloseTo(2, within(1e-12));
    assertThat(means.top1()).isCloseTo(0.4, within(1e-12));
    assertThat(means.teacherTop1()).isCloseTo(0.4, within(1e-12));
  }

  private Progress progress(boolean live) {
    return new Progress(
        new PrintStream(output, true, StandardCharsets.UTF_8),
        live,
        Duration.ofSeconds(10),
        () -> nanos);
  }

  private static StepLine line(long step, @Nullable Double teacher) {
    boolean distilled = teacher != null;
    return new StepLine(
        step,
        0,
        1,
        0.1,
        20,
        2,
        2.5,
        distilled ? 1.5 : null,
        null,
        null,
        0.25,
        teacher,
        1,
        0.5,
        0,
        0,
        40,
        0.3,
        distilled ? 0.4 : null,
        distilled ? 2 : null,
        distilled ? 0L : null,
        null,
        null,
        null);
  }

  private String printed() {
    return output.toString(StandardCharsets.UTF_8);
  }
}
