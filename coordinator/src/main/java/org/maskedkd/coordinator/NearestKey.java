package org.maskedkd.coordinator;

import java.util.Comparator;
import java.util.List;

/** Finds the key that was probably meant. */
public final class NearestKey {

  private NearestKey() {}

  /**
   * The one of {@code known} dotted keys that is least edits from {@code key}, its section forgiven
   * for one edit.
   */
  static String of(String key, List<String> known) {
    return known.stream()
        .min(Comparator.comparingInt((String candidate) -> distance(key, candidate)))
        .orElse("");
  }

  private static int distance(String key, String candidate) {
    int whole = edits(key, candidate);
    int last = edits(last(key), last(candidate)) + 1;
    return Math.min(whole, last);
  }

  private static String last(String key) {
    return key.substring(key.lastIndexOf('.') + 1);
  }

  /**
   * Fewest single-character insertions, deletions and replacements that turn one into the other.
   */
  public static int edits(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replace = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replace, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
