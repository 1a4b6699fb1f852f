package org.maskedkd.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.maskedkd.coordinator.RunConfig;

/** The report of a folder of runs, such as {@code ablate} and {@code demo} leave. */
final class GridReport {
  private final String name;
  private final Path folder;
  private final List<GridRow> rows;
  private final ReportPage page;
  private final Html html;
  private final List<String> problems = new ArrayList<>();

  private GridReport(Path folder, List<RunFiles> runs) {
    this.folder = folder;
    this.name = String.valueOf(folder.toAbsolutePath().normalize().getFileName());
    this.rows = rows(runs, order());
    this.page = new ReportPage(name);
    this.html = page.html();
  }

  /**
   * The page.
   *
   * @param runs at least one
   */
  static String of(Path folder, List<RunFiles> runs) {
    return new GridReport(folder, runs).page();
  }

  /** The rows as {@code table.json} has them; none without one. */
  private List<String> order() {
    List<String> order = new ArrayList<>();
    Path table = folder.resolve("table.json");
    if (Files.isRegularFile(table)) {
      try {
        new ObjectMapper()
            .readTree(table.toFile())
            .path("rows")
            .forEach(row -> order.add(row.path("row").asText()));
      } catch (IOException e) {
        problems.add("table.json cannot be read, the rows are in alphabetical order: " + e);
      }
    }
    return order;
  }

  private static List<GridRow> rows(List<RunFiles> runs, List<String> order) {
    Map<String, List<RunFiles>> named = new LinkedHashMap<>();
    order.forEach(row -> named.put(row, new ArrayList<>()));
    for (RunFiles run : runs) {
      named.computeIfAbsent(row(run), row -> new ArrayList<>()).add(run);
    }
    List<GridRow> rows = new ArrayList<>();
    named.forEach(
        (row, own) -> {
          if (!own.isEmpty()) {
            rows.add(new GridRow(rows.size(), row, own));
          }
        });
    return rows;
  }

  /** The run's name without its seed. */
  private static String row(RunFiles run) {
    RunConfig config = run.config();
    String name = String.valueOf(run.directory().getFileName());
    String seed = config == null ? "" : "-seed" + config.seed();
    return config != null && name.endsWith(seed)
        ? name.substring(0, name.length() - seed.length())
        : name;
  }

  private String page() {
    html.element("h1", name);
    long runs = rows.stream().mapToLong(row -> row.runs().size()).sum();
    html.element("p", "%d rows, %d runs".formatted(rows.size(), runs), "class", "soft");
    for (GridRow row : rows) {
      for (RunFiles run : row.runs()) {
        String directory = String.valueOf(run.directory().getFileName());
        if (!run.finished()) {
          problems.add(directory + " is unfinished; it is in the curves, not in the table");
        }
        run.problems().forEach(problem -> problems.add(directory + ": " + problem));
      }
    }
    page.problems("Not all runs are whole:", problems);
    page.heading("Results");
    table();
    page.heading("Accuracy against the teacher's work");
    cost();
    page.heading("Learning");
    curves();
    page.heading("What the teacher sees");
    masks();
    return page.end();
  }

  private void table() {
    Map<String, String> differences = differences();
    html.open("div", "class", "scroll").open("table").open("thead").open("tr");
    html.element("th", "", "class", "n").element("th", "row");
    for (String column :
        List.of("top-1 %", "best top-1 %", "teacher/image", "of all patches", "images/s")) {
      html.element("th", column, "class", "n");
    }
    html.element("th", "runs").element("th", "differs in").close().close().open("tbody");
    for (GridRow row : rows) {
      Optional<TeacherWork> work = row.work();
      html.open("tr").open("td", "class", "n");
      html.open("span", "class", "key s" + row.color()).close();
      html.text(" " + (row.number() + 1)).close();
      html.element("td", row.name());
      html.element("td", AblationTable.text(row.lastTop1()), "class", "n");
      html.element("td", AblationTable.text(row.bestTop1()), "class", "n");
      html.element("td", work.map(w -> ReportPage.macs(w.perImage())).orElse("–"), "class", "n");
      html.element("td", work.map(w -> ReportPage.percent(w.share())).orElse("–"), "class", "n");
      double rate = row.imagesPerSecond();
      html.element(
          "td",
          Double.isFinite(rate) ? String.format(Locale.ROOT, "%,.0f", rate) : "–",
          "class",
          "n");
      html.open("td");
      row.runs().forEach(this::link);
      html.close().element("td", differences.getOrDefault(row.name(), "–")).close();
    }
    html.close().close().close();
    page.note(
        "Mean ± standard deviation over the finished runs of a row, after the last epoch and of the best; the teacher's multiply-accumulates for an image, and their share of what all patches would take.");
  }

  private void link(RunFiles run) {
    RunConfig config = run.config();
    String text = config == null ? "?" : Long.toString(config.seed());
    String directory = String.valueOf(run.directory().getFileName());
    if (Files.exists(run.directory().resolve("report.html"))) {
      String place = URLEncoder.encode(directory, StandardCharsets.UTF_8).replace("+", "%20");
      html.element("a", text, "href", "./" + place + "/report.html", "title", directory);
    } else {
      html.element("span", text, "title", directory);
    }
    html.text(" ");
  }

  /** For each row the keys whose value is not that of most rows. */
  private Map<String, String> differences() {
    Map<String, Map<String, String>> keys = new LinkedHashMap<>();
    for (GridRow row : rows) {
      RunConfig config = row.runs().get(0).config();
      if (config != null) {
        keys.put(row.name(), ConfigLeaves.of(config));
      }
    }
    Map<String, String> usual = new LinkedHashMap<>();
    keys.values().stream()
        .flatMap(leaves -> leaves.keySet().stream())
        .distinct()
        .forEach(key -> usual.put(key, most(keys, key)));
    Map<String, String> differences = new LinkedHashMap<>();
    keys.forEach(
        (row, leaves) ->
            leaves.forEach(
                (key, value) -> {
                  if (!value.equals(usual.get(key))) {
                    differences.merge(row, key + " " + value, (a, b) -> a + ", " + b);
                  }
                }));
    return differences;
  }

  private static String most(Map<String, Map<String, String>> keys, String key) {
    Map<String, Long> counts =
        keys.values().stream()
            .map(leaves -> leaves.getOrDefault(key, ""))
            .collect(Collectors.groupingBy(v -> v, LinkedHashMap::new, Collectors.counting()));
    return counts.entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .map(Map.Entry::getKey)
        .orElse("");
  }

  private void cost() {
    Set<String> teachers =
        rows.stream()
            .flatMap(row -> row.work().stream())
            .map(TeacherWork::model)
            .filter(model -> !model.isEmpty())
            .collect(Collectors.toSet());
    boolean relative = teachers.size() == 1;
    List<CostChart.Point> points = new ArrayList<>();
    for (GridRow row : rows) {
      double[] top1 = row.lastTop1();
      if (top1.length > 0) {
        row.work()
            .ifPresent(
                work ->
                    points.add(
                        new CostChart.Point(
                            row.number() + 1,
                            row.name(),
                            row.color(),
                            relative ? 100 * work.share() : work.perImage() / 1e6,
                            100 * AblationTable.mean(top1),
                            100 * AblationTable.deviation(top1))));
      }
    }
    html.open("div", "class", "charts");
    new CostChart(
            "Top-1 after the last epoch",
            relative ? "teacher's MACs in % of all patches" : "teacher's M-MAC for an image")
        .draw(html, points);
    html.close();
    page.note(
        "Numbers are those of the table, lines the standard deviation. A point that would cover another one stands beside it, with a line to its place.");
  }

  private void curves() {
    LineChart.legend(html, rows.stream().map(row -> row.curve("top1", 100)).toList());
    html.open("div", "class", "charts");
    curve("Student, evaluation", "top1", "top-1 in %", 100);
    curve("Student, training", "train_top1", "top-1 in %", 100);
    curve("Teacher with kept patches, training", "teacher_train_top1", "top-1 in %", 100);
    curve("Training loss", "train_loss", "loss", 1);
    html.close();
    page.note("Means over the runs of a row, with the least and the greatest as a band.");
  }

  private void curve(String title, String key, String unit, double factor) {
    new LineChart(title, "epoch", unit, /* fromZero= */ false)
        .draw(html, rows.stream().map(row -> row.curve(key, factor)).toList(), /* legend= */ false);
  }

  /**
   * The last masks of each row's first run that has some, as far as they are of the same images.
   */
  private void masks() {
    List<RunFiles> masked = new ArrayList<>();
    List<MaskTable.Column> columns = new ArrayList<>();
    for (GridRow row : rows) {
      for (RunFiles run : row.runs()) {
        boolean same =
            masked.isEmpty() || Arrays.equals(masked.get(0).maskImages(), run.maskImages());
        if (run.maskImages() != null && !run.masks().isEmpty() && same) {
          JsonNode line = run.masks().get(run.masks().size() - 1);
          masked.add(run);
          columns.add(new MaskTable.Column(row.name(), line));
          break;
        }
      }
    }
    byte[] images = masked.isEmpty() ? null : masked.get(0).maskImages();
    if (images == null) {
      html.element("p", "No run has recorded masks.", "class", "none");
      return;
    }
    new MaskTable(images, columns).draw(html);
    page.note(
        "The last record of a run of each row, of seed %s; patches that the teacher does not get are grey."
            .formatted(seeds(masked)));
  }

  private static String seeds(List<RunFiles> runs) {
    return runs.stream()
        .map(RunFiles::config)
        .map(config -> config == null ? "?" : Long.toString(config.seed()))
        .distinct()
        .collect(Collectors.joining(", "));
  }
}
