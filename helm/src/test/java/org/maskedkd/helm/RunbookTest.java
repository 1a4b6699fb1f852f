package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The runbook is about the alerts that there are, and its queries find something. */
class RunbookTest {
  private static final Path RUNBOOK = Path.of("../docs/runbook.md");
  private static final Pattern HEADING = Pattern.compile("^#+ (.*)$", Pattern.MULTILINE);
  private static final Pattern LINK = Pattern.compile("]\\(#([^)]*)\\)");
  private static final Pattern QUERIES = Pattern.compile("```promql\\n(.*?)```", Pattern.DOTALL);
  private static final Pattern IN_TEXT =
      Pattern.compile("`([a-z_]+:[a-z0-9_:]+|maskedkd_[a-z0-9_]+)`");
  private static final Pattern ROW =
      Pattern.compile("^\\| `([a-z_]+:[^`]*)` \\|", Pattern.MULTILINE);

  private String text = "";

  @BeforeEach
  void read() throws IOException {
    text = Files.readString(RUNBOOK);
  }

  private List<String> found(Pattern pattern) {
    return pattern.matcher(text).results().map(match -> match.group(1)).toList();
  }

  @Test
  void sections_ofAlerts_areThoseOfTheRules() {
    assertThat(found(HEADING))
        .filteredOn(heading -> heading.startsWith("MaskedKD"))
        .containsExactlyInAnyOrderElementsOf(Rules.alerts());
  }

  @Test
  void sections_ofEveryAlert_sayWhatToDo() {
    List<MatchResult> headings = HEADING.matcher(text).results().toList();
    for (int i = 0; i < headings.size(); i++) {
      int end = i + 1 < headings.size() ? headings.get(i + 1).start() : text.length();
      if (headings.get(i).group(1).startsWith("MaskedKD")) {
        assertThat(text.substring(headings.get(i).start(), end)).contains("**Do**: ");
      }
    }
  }

  @Test
  void links_withinThePage_leadToSections() {
    List<String> anchors =
        found(HEADING).stream().map(h -> h.toLowerCase(Locale.ROOT).replace(' ', '-')).toList();

    assertThat(found(LINK)).isNotEmpty().allSatisfy(link -> assertThat(anchors).contains(link));
  }

  @Test
  void table_ofRecordedSeries_hasAllOfThem() {
    assertThat(found(ROW)).containsExactlyInAnyOrderElementsOf(Rules.recorded());
  }

  @Test
  void queries_allOfThem_askForWhatThereIs() {
    List<String> lines = found(QUERIES).stream().flatMap(String::lines).toList();

    assertThat(lines)
        .isNotEmpty()
        .allSatisfy(
            line -> {
              assertThat(Query.series(line))
                  .isNotEmpty()
                  .allSatisfy(
                      series -> assertThat(Rules.exists(series.name())).as("%s", series).isTrue());
              assertThat(Rules.unknownLabels(line)).isEmpty();
            });
    assertThat(found(IN_TEXT))
        .isNotEmpty()
        .allSatisfy(series -> assertThat(Rules.exists(series)).as("%s", series).isTrue());
  }
}
