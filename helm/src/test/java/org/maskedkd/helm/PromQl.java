package org.maskedkd.helm;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What an expression asks Prometheus for. */
final class PromQl {
  /** A metric's name, or that of a recording rule, with its label matchers. */
  private static final Pattern SELECTOR =
      Pattern.compile(
          "(?<![\\w:\"~=$.-])((?:maskedkd|process|jvm|grpc_(?:client|server)|kube|container|DCGM)[:_][\\w:]+|up|ALERTS)"
              + "(?![\\w:(])(\\{[^}]*})?");

  private static final Pattern MATCHER = Pattern.compile("(\\w+)\\s*(=~|!~|!=|=)\\s*\"([^\"]*)\"");

  private PromQl() {}

  /**
   * A selector.
   *
   * @param matchers operator and value by label, such as {@code =lost}
   */
  record Selector(String text, String metric, Map<String, String> matchers) {}

  static List<Selector> selectors(String expression) {
    List<Selector> selectors = new ArrayList<>();
    Matcher found = SELECTOR.matcher(expression);
    while (found.find()) {
      Map<String, String> matchers = new LinkedHashMap<>();
      if (found.group(2) != null) {
        Matcher matcher = MATCHER.matcher(found.group(2));
        while (matcher.find()) {
          matchers.put(matcher.group(1), matcher.group(2) + matcher.group(3));
        }
      }
      selectors.add(new Selector(found.group(), found.group(1), matchers));
    }
    return selectors;
  }
}
