package org.maskedkd.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.maskedkd.cli.StepTable.Column;

/** The report of one run. */
final class RunReport {
  private static final int MOST_POINTS = 150;

  /** Of accuracies, which of a few hundred images are mostly noise. */
  private static final int MOST_MEANS = 50;

  private static final int LONGEST_FACT = 400;

  private final RunFiles run;
  private final ReportPage page;
  private final Html html;
  private final double[] steps;

  private RunReport(RunFiles run) {
    this.run = run;
    this.page = new ReportPage(run.name());
    this.html = page.html();
    this.steps = run.steps().column(Column.STEP);
  }

  /** The page. */
  static String of(RunFiles run) {
    return new RunReport(run).page();
  }

  private String page() {
    Optional<TeacherWork> work = TeacherWork.of(run);
    html.element("h1", run.name());
    html.element("p", state(), "class", "soft");
    page.problems("Not everything of this run could be read:", run.problems());
    page.cards(cards(work));
    page.heading("Learning");
    learning();
    page.heading("Speed");
    speed();
    page.heading("One step");
    timeline();
    page.heading("What the teacher sees");
    masks();
    page.heading("Configuration");
    configuration();
    page.heading("Provenance");
    page.facts(provenance());
    return page.end();
  }

  private String state() {
    if (run.steps().size() == 0) {
      return "No step of this run was recorded.";
    }
    long last = (long) steps[steps.length - 1];
    double epoch = run.steps().column(Column.EPOCH)[steps.length - 1];
    String where =
        "step %,d, epoch %.0f%s"
            .formatted(
                last,
                epoch + 1,
                run.config() == null ? "" : " of " + run.config().schedule().epochs());
    return run.finished()
        ? "Finished after " + where + "."
        : "Unfinished: it still runs, was stopped or has failed. This is how it stood after "
            + where
            + ".";
  }

  private List<ReportPage.Card> cards(Optional<TeacherWork> work) {
    List<ReportPage.Card> cards = new ArrayList<>();
    JsonNode last = run.lastEvaluation();
    double top1 = number(last, "top1");
    double images = number(last, "images");
    cards.add(
        new ReportPage.Card(
            "top-1",
            ReportPage.percent(top1),
            last.isMissingNode()
                ? "not evaluated yet"
                : String.format(
                    Locale.ROOT,
                    "± %.1f standard error, %,.0f images",
                    100 * Math.sqrt(top1 * (1 - top1) / images),
                    images)));
    double best =
        run.epochs().stream()
            .mapToDouble(line -> number(line, "top1"))
            .filter(Double::isFinite)
            .max()
            .orElse(Double.NaN);
    cards.add(
        new ReportPage.Card(
            "top-5",
            ReportPage.percent(number(last, "top5")),
            "best top-1 " + ReportPage.percent(best)));
    double seconds = run.steps().sum(Column.SECONDS);
    cards.add(
        new ReportPage.Card(
            "training images/s",
            seconds > 0
                ? String.format(Locale.ROOT, "%,.0f", run.steps().sum(Column.IMAGES) / seconds)
                : "–",
            String.format(
                Locale.ROOT, "%,d steps in %,.0f s of steps", run.steps().size(), seconds)));
    cards.add(
        new ReportPage.Card(
            "bubble",
            ReportPage.percent(run.steps().meanOverTime(Column.BUBBLE)),
            "imbalance " + ReportPage.percent(run.steps().meanOverTime(Column.IMBALANCE))));
    cards.add(
        work.map(RunReport::card)
            .orElse(new ReportPage.Card("teacher's work", "–", "its model is not known")));
    return cards;
  }

  private static ReportPage.Card card(TeacherWork work) {
    if (work.full() == 0) {
      return new ReportPage.Card("teacher's work", "0", "there is no teacher");
    }
    double saved = work.full() - work.done();
    return new ReportPage.Card(
        "teacher's work",
        ReportPage.macs(work.perImage()),
        "an image, %s in all; %s of %s with all patches %s"
            .formatted(
                ReportPage.macs(work.done()),
                ReportPage.macs(Math.abs(saved)),
                ReportPage.macs(work.full()),
                saved >= 0 ? "saved" : "too much"));
  }

  private static double number(JsonNode line, String key) {
    return line.path(key).isNumber() ? line.path(key).asDouble() : Double.NaN;
  }

  /** A column of the steps, thinned. */
  private ChartSeries stepped(String name, int color, Column column, double factor) {
    return ChartSeries.of(name, color, steps, scaled(column, factor)).thinned(MOST_POINTS);
  }

  /** Means of neighbouring steps in percent, with nothing around them. */
  private ChartSeries means(String name, int color, Column column) {
    return ChartSeries.of(name, color, steps, scaled(column, 100))
        .thinned(MOST_MEANS)
        .withoutBand();
  }

  private double[] scaled(Column column, double factor) {
    return Arrays.stream(run.steps().column(column)).map(value -> value * factor).toArray();
  }

  private ChartSeries evaluated(String name, int color, String key, double factor) {
    ChartSeries series =
        ChartSeries.of(
            name,
            color,
            run.epochs().stream().mapToDouble(line -> number(line, "step")).toArray(),
            run.epochs().stream().mapToDouble(line -> factor * number(line, key)).toArray());
    return series.x().length > MOST_MEANS ? series.thinned(MOST_POINTS) : series.withMarks();
  }

  private void learning() {
    html.open("div", "class", "charts");
    new LineChart("Top-1 of student and teacher", "step", "top-1 in %", /* fromZero= */ true)
        .draw(
            html,
            List.of(
                means("teacher with kept patches, training", 1, Column.TEACHER_TOP1),
                means("student, training", 2, Column.STUDENT_TOP1),
                evaluated("averaged weights, evaluation", 3, "ema_top1", 100),
                evaluated("student, evaluation", 0, "top1", 100)),
            /* legend= */ true);
    new LineChart("Loss and its parts", "step", "loss", /* fromZero= */ true)
        .draw(
            html,
            List.of(
                stepped("total", 0, Column.LOSS, 1),
                stepped("cross-entropy", 2, Column.BASE, 1),
                stepped("divergence from the teacher", 1, Column.DISTILLATION, 1),
                stepped("relations of patches", 4, Column.MANIFOLD, 1),
                stepped("attention of the class tokens", 5, Column.ATTENTION, 1),
                evaluated("cross-entropy, evaluation", 3, "loss", 1)),
            /* legend= */ true);
    html.close();
    page.note(
        "Training values are of augmented images and, where images are mixed, of the stronger label. Where there are many steps, curves are means over neighbouring ones, and a band reaches from the least to the greatest.");
  }

  private void speed() {
    html.open("div", "class", "charts");
    new LineChart("Throughput", "step", "images/s", /* fromZero= */ true)
        .draw(html, List.of(stepped("images/s", 0, Column.RATE, 1)), /* legend= */ false);
    new LineChart("Bubble and imbalance", "step", "% of the step", /* fromZero= */ true)
        .draw(
            html,
            List.of(
                stepped("bubble", 1, Column.BUBBLE, 100),
                stepped("imbalance", 0, Column.IMBALANCE, 100)),
            /* legend= */ true);
    html.close();
    IdleShares.draw(html, run.steps().idleShares());
  }

  private void timeline() {
    String svg = run.timeline();
    if (svg == null) {
      html.element("p", "There is no timeline.svg.", "class", "none");
      return;
    }
    String data = Base64.getEncoder().encodeToString(svg.getBytes(StandardCharsets.UTF_8));
    html.open("div", "class", "scroll");
    html.empty(
        "img",
        "class",
        "timeline",
        "alt",
        "the last recorded step, a row for each device",
        "src",
        "data:image/svg+xml;base64," + data);
    html.close();
    page.note("The last recorded step, as in timeline.svg; timeline.json has the steps before it.");
  }

  private void masks() {
    MaskTable masks = MaskTable.of(run);
    if (masks == null) {
      html.element(
          "p",
          "No masks were recorded: there is no teacher, it sees every patch (as it does where the student alone is masked), report.images is 0, or the run is of an earlier release.",
          "class",
          "none");
      return;
    }
    masks.draw(html);
    page.note(
        "Evaluation images; patches that the teacher does not get are grey. Before training the student chooses as it was initialised: at random, unless student.init names weights.");
  }

  private void configuration() {
    if (run.configText().isEmpty()) {
      html.element("p", "There is no config.yaml.", "class", "none");
      return;
    }
    html.open("details").element("summary", "config.yaml, every key");
    html.element("pre", run.configText()).close();
  }

  private Map<String, String> provenance() {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("directory", run.directory().toAbsolutePath().normalize().toString());
    run.metadata().forEach((key, value) -> fact(facts, "weights: " + key, value));
    JsonNode coordinator = run.state().path("coordinator");
    coordinator
        .properties()
        .forEach(
            entry -> {
              if (entry.getValue().isTextual()) {
                fact(facts, entry.getKey(), entry.getValue().asText());
              }
            });
    if (coordinator.path("attempt").isNumber()) {
      fact(facts, "starts", coordinator.path("attempt").asText());
    }
    numerics(facts, "student", run.state().path("numerics"));
    numerics(facts, "teacher", run.state().path("teacher_numerics"));
    return facts;
  }

  private static void numerics(Map<String, String> facts, String who, JsonNode numerics) {
    numerics
        .properties()
        .forEach(entry -> fact(facts, who + "'s " + entry.getKey(), entry.getValue().asText()));
  }

  private static void fact(Map<String, String> facts, String name, String value) {
    if (!value.isEmpty()) {
      facts.put(
          name, value.length() > LONGEST_FACT ? value.substring(0, LONGEST_FACT) + "…" : value);
    }
  }
}
