package org.maskedkd.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What the pages of a run and of a table of runs have in common. */
final class ReportPage {
  private final Html html = new Html();

  /** Begins a page that needs nothing but itself. */
  ReportPage(String title) {
    html.open("html", "xmlns", "http://www.w3.org/1999/xhtml", "lang", "en").open("head");
    html.empty("meta", "charset", "utf-8");
    html.empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1");
    html.element("title", title);
    html.open("style").verbatim(resource("report.css")).close();
    html.close().open("body");
  }

  Html html() {
    return html;
  }

  void heading(String text) {
    html.element("h2", text);
  }

  /** A paragraph about what is shown. */
  void note(String text) {
    html.element("p", text, "class", "note");
  }

  /** What is missing or damaged, if anything is. */
  void problems(String title, List<String> problems) {
    if (problems.isEmpty()) {
      return;
    }
    html.open("div", "class", "warn").text(title).open("ul");
    problems.forEach(problem -> html.element("li", problem));
    html.close().close();
  }

  /**
   * A number with what it is and a remark.
   *
   * @param value as it is shown
   */
  record Card(String name, String value, String remark) {}

  void cards(List<Card> cards) {
    html.open("ul", "class", "cards");
    for (Card card : cards) {
      html.open("li").element("span", card.name()).element("b", card.value());
      html.element("span", card.remark()).close();
    }
    html.close();
  }

  /** Names and what stands behind them. */
  void facts(Map<String, String> facts) {
    html.open("table", "class", "facts").open("tbody");
    facts.forEach(
        (name, value) -> html.open("tr").element("th", name).element("td", value).close());
    html.close().close();
  }

  /** The whole page. */
  String end() {
    html.open("script").verbatim(resource("report.js")).close();
    return "<!DOCTYPE html>\n" + html.close().close();
  }

  private static String resource(String name) {
    try (InputStream in = ReportPage.class.getResourceAsStream("report/" + name)) {
      if (in == null) {
        throw new IllegalStateException("the program lacks its resource report/" + name);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A share in percent; a dash where it is not known. */
  static String percent(double share) {
    return Double.isFinite(share) ? String.format(Locale.ROOT, "%.1f %%", 100 * share) : "–";
  }

  /** Multiply-accumulates with the prefix that keeps them short. */
  static String macs(double macs) {
    return macs == 0 ? "0" : FlopsCommand.readable(macs) + "-MAC";
  }
}
