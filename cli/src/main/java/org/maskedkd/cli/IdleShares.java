package org.maskedkd.cli;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** How the devices spent the time of all steps: a bar for each, and the numbers below. */
final class IdleShares {

  private IdleShares() {}

  /**
   * Draws them; a sentence instead when nothing is known.
   *
   * @param devices the idle shares of each device by cause
   */
  static void draw(Html html, Map<String, Map<String, Double>> devices) {
    if (devices.isEmpty()) {
      html.element("p", "Idle time by cause was not recorded.", "class", "none");
      return;
    }
    Set<String> causes = new LinkedHashSet<>();
    devices.values().forEach(shares -> causes.addAll(shares.keySet()));
    List<String> all = new ArrayList<>(causes);
    html.element("p", "Time of each device over all steps");
    html.open("div", "class", "bars");
    devices.forEach(
        (device, shares) -> {
          double idle = shares.values().stream().mapToDouble(Double::doubleValue).sum();
          html.element("span", device);
          html.open("span", "class", "bar");
          bar(html, "busy", 1 - idle, 0);
          for (int i = 0; i < all.size(); i++) {
            bar(html, all.get(i), shares.getOrDefault(all.get(i), 0.0), i + 1);
          }
          html.close();
        });
    html.close();
    table(html, devices, all);
  }

  private static void bar(Html html, String name, double share, int color) {
    html.open(
            "i",
            "class",
            "s" + color,
            "style",
            String.format(Locale.ROOT, "width:%.2f%%", 100 * Math.max(0, Math.min(1, share))),
            "title",
            name + " " + ReportPage.percent(share))
        .close();
  }

  private static void table(
      Html html, Map<String, Map<String, Double>> devices, List<String> causes) {
    html.open("div", "class", "scroll").open("table").open("thead").open("tr");
    html.element("th", "device");
    key(html, "busy", 0);
    for (int i = 0; i < causes.size(); i++) {
      key(html, causes.get(i), i + 1);
    }
    html.close().close().open("tbody");
    devices.forEach(
        (device, shares) -> {
          double idle = shares.values().stream().mapToDouble(Double::doubleValue).sum();
          html.open("tr").element("td", device);
          html.element("td", ReportPage.percent(1 - idle), "class", "n");
          causes.forEach(
              cause ->
                  html.element(
                      "td", ReportPage.percent(shares.getOrDefault(cause, 0.0)), "class", "n"));
          html.close();
        });
    html.close().close().close();
  }

  private static void key(Html html, String name, int color) {
    html.open("th", "class", "n").open("span", "class", "key s" + color).close();
    html.text(" " + name).close();
  }
}
