package org.maskedkd.data;

/** What happens when an image cannot be decoded. */
public enum OnCorrupt {
  /** The run ends with an error that names the file. */
  FAIL,
  /**
   * The next sound image of the same class takes its place, always the same one; a warning is
   * logged once per file.
   */
  SKIP
}
