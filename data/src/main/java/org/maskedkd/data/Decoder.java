package org.maskedkd.data;

/**
 * Turns the bytes of a JPEG, PNG or BMP file into RGB. Safe for use by many threads.
 *
 * <p>The kind of file is told by its first bytes, not by its name. Values are taken as stored:
 * embedded colour profiles and gamma are ignored, as the reference pipelines do. Gray becomes three
 * equal planes, an alpha channel is dropped without blending (a transparent pixel keeps the colour
 * stored under it), 16-bit samples keep their high byte, CMYK becomes {@code (255-C)(255-K)/255},
 * the file being taken to hold complements (255-C and so on) as such files do.
 */
public interface Decoder {
  /** More pixels than this are refused before anything is decoded. */
  long MAX_PIXELS = 100_000_000;

  /**
   * Decodes a whole image.
   *
   * @param name what error messages call it
   * @throws CorruptImageException when it is damaged, incomplete, too large, or of no known kind
   */
  Image decode(byte[] file, String name);

  /**
   * The library that decodes JPEG and a digest of what it makes of a reference picture, e.g. {@code
   * turbojpeg/3f9a01c2}. JPEG libraries round differently; two decoders of one name give the same
   * bytes.
   */
  String name();
}
