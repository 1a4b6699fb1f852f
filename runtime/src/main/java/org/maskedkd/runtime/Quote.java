package org.maskedkd.runtime;

/** Text of a peer, for messages and logs: on one line, and not long. */
public final class Quote {
  private static final int LONGEST = 200;
  private static final int LONGEST_LINE = 2000;

  private Quote() {}

  /** In quotation marks, control characters replaced, at most 200 characters. */
  public static String of(String text) {
    return "'" + clean(text, LONGEST) + "'";
  }

  /** Control characters replaced, at most 2000 characters. */
  public static String line(String text) {
    return clean(text, LONGEST_LINE);
  }

  private static String clean(String text, int longest) {
    String cut = text.length() <= longest ? text : text.substring(0, longest);
    String clean = cut.replaceAll("\\p{Cntrl}", "?");
    return cut.length() == text.length() ? clean : clean + "... (" + text.length() + " characters)";
  }
}
