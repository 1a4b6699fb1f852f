package org.maskedkd.helm;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What an expression of PromQL asks for: as much of the language as our rules use. */
final class Query {
  private static final Set<String> WORDS =
      Set.of("and", "or", "unless", "bool", "sum", "avg", "max", "min", "topk", "Inf");

  private static final Pattern LABEL_LIST =
      Pattern.compile("\\b(by|without|on|ignoring|group_left)\\s*\\([^)]*\\)");

  /** A string, a range or a number, or a name and what is between its braces. */
  private static final Pattern TOKEN =
      Pattern.compile(
          "\"[^\"]*\"|\\[[^]]*]|\\b[0-9][0-9a-z.]*|([a-zA-Z_:][a-zA-Z0-9_:]*)(\\s*\\(|\\{[^}]*})?");

  private static final Pattern MATCHER =
      Pattern.compile("([a-z_]+)\\s*(=~|!~|!=|=)\\s*\"([^\"]*)\"");

  /**
   * One that is selected.
   *
   * @param labels the values that are named for each label, alternatives of a regular expression
   *     apart
   * @param text as it is written
   */
  record Series(String name, Map<String, List<String>> labels, String text) {}

  private Query() {}

  static List<Series> series(String expression) {
    List<Series> found = new ArrayList<>();
    Matcher token = TOKEN.matcher(LABEL_LIST.matcher(expression).replaceAll(" "));
    while (token.find()) {
      String name = token.group(1);
      String rest = token.group(2) == null ? "" : token.group(2).strip();
      if (name != null && !WORDS.contains(name) && !rest.equals("(")) {
        found.add(new Series(name, labels(rest), token.group()));
      }
    }
    return found;
  }

  private static Map<String, List<String>> labels(String braces) {
    Map<String, List<String>> labels = new LinkedHashMap<>();
    Matcher matcher = MATCHER.matcher(braces);
    while (matcher.find()) {
      boolean pattern = matcher.group(2).endsWith("~");
      labels.put(
          matcher.group(1),
          pattern ? List.of(matcher.group(3).split("\\|", -1)) : List.of(matcher.group(3)));
    }
    return labels;
  }
}
