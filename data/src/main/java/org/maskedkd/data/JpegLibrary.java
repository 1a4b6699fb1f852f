package org.maskedkd.data;

/** Which library decodes JPEG files. */
public enum JpegLibrary {
  /** libturbojpeg where the system has it, otherwise the JDK. */
  AUTO,
  /** libturbojpeg, or an error. */
  TURBOJPEG,
  /** The JDK's own reader. */
  JDK
}
