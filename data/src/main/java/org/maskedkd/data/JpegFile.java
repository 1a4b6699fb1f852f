package org.maskedkd.data;

import java.io.ByteArrayOutputStream;

/**
 * The structure of a JPEG file: its frame header, whether it is complete, and a copy without the
 * segments that decoders trip over or disagree about (JFIF, Exif, colour profiles, comments).
 *
 * <p>Decoders fill what is missing from a truncated file with gray and at most warn, so
 * completeness is checked here. They also guess the colour space in different ways; the copy states
 * it in an Adobe segment that all of them obey.
 */
final class JpegFile {
  private static final int SOF0 = 0xC0;
  private static final int DHT = 0xC4;
  private static final int JPG = 0xC8;
  private static final int DAC = 0xCC;
  private static final int SOF15 = 0xCF;
  private static final int RST0 = 0xD0;
  private static final int RST7 = 0xD7;
  private static final int SOI = 0xD8;
  private static final int EOI = 0xD9;
  private static final int SOS = 0xDA;
  private static final int APP0 = 0xE0;
  private static final int APP14 = 0xEE;
  private static final int APP15 = 0xEF;
  private static final int COM = 0xFE;

  private final byte[] file;
  private final String name;
  private final ByteArrayOutputStream plain;

  private int width;
  private int height;
  private int components;
  private int firstId;
  private boolean jfif;
  private int adobeTransform = -1;

  private JpegFile(byte[] file, String name) {
    this.file = file;
    this.name = name;
    this.plain = new ByteArrayOutputStream(file.length + 16);
  }

  /** Walks over the whole file. */
  static JpegFile parse(byte[] file, String name) {
    JpegFile jpeg = new JpegFile(file, name);
    jpeg.walk();
    if (jpeg.components == 0) {
      throw new CorruptImageException(name, "the JPEG file has no frame header");
    }
    return jpeg;
  }

  static boolean recognises(byte[] file) {
    return file.length > 2 && at(file, 0) == 0xFF && at(file, 1) == SOI && at(file, 2) == 0xFF;
  }

  int width() {
    return width;
  }

  int height() {
    return height;
  }

  int components() {
    return components;
  }

  /** Whether four components are stored as YCC and black instead of CMY and black. */
  boolean isYcck() {
    return components == 4 && adobeTransform == 2;
  }

  /** The same picture with one Adobe segment as its only metadata. */
  byte[] plain() {
    byte[] body = plain.toByteArray();
    byte[] adobe = {
      (byte) 0xFF,
      (byte) SOI,
      (byte) 0xFF,
      (byte) APP14,
      0,
      14,
      'A',
      'd',
      'o',
      'b',
      'e',
      0,
      100,
      0,
      0,
      0,
      0,
      (byte) statedTransform()
    };
    byte[] out = new byte[adobe.length + body.length];
    System.arraycopy(adobe, 0, out, 0, adobe.length);
    System.arraycopy(body, 0, out, adobe.length, body.length);
    return out;
  }

  /** 1 for YCbCr, 0 for samples to be taken as they are: the rule of the Independent JPEG Group. */
  private int statedTransform() {
    if (components != 3) {
      return 0;
    }
    if (jfif) {
      return 1;
    }
    if (adobeTransform >= 0) {
      return adobeTransform == 0 ? 0 : 1;
    }
    return firstId == 'R' ? 0 : 1;
  }

  private void walk() {
    int position = 2;
    while (true) {
      int marker = markerAt(position);
      position += 2;
      if (marker == EOI) {
        plain.write(0xFF);
        plain.write(EOI);
        return;
      }
      if (marker == 0xFF) { // fill byte
        position--;
        continue;
      }
      if (marker >= RST0 && marker <= SOI || marker == 0x01) {
        continue;
      }
      int length = length(position);
      segment(marker, position, length);
      int end = position + length;
      if (marker == SOS) {
        end = endOfScan(end);
      }
      boolean metadata = marker >= APP0 && marker <= APP15 || marker == COM;
      if (!metadata) {
        plain.write(file, position - 2, end - position + 2);
      }
      position = end;
    }
  }

  private int markerAt(int position) {
    if (position + 1 >= file.length) {
      throw truncated();
    }
    if (at(file, position) != 0xFF) {
      throw new CorruptImageException(
          name, "the JPEG file has no marker at byte %d where one must stand".formatted(position));
    }
    return at(file, position + 1);
  }

  private int length(int position) {
    if (position + 2 > file.length) {
      throw truncated();
    }
    int length = at(file, position) << 8 | at(file, position + 1);
    if (length < 2) {
      throw new CorruptImageException(
          name, "the JPEG file has a segment of %d bytes at byte %d".formatted(length, position));
    }
    if (position + length > file.length) {
      throw truncated();
    }
    return length;
  }

  private void segment(int marker, int position, int length) {
    boolean frame =
        marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC;
    if (frame && length >= 9) {
      height = at(file, position + 3) << 8 | at(file, position + 4);
      width = at(file, position + 5) << 8 | at(file, position + 6);
      components = at(file, position + 7);
      firstId = at(file, position + 8);
    } else if (marker == APP0 && startsWith(position + 2, "JFIF")) {
      jfif = true;
    } else if (marker == APP14 && length >= 14 && startsWith(position + 2, "Adobe")) {
      adobeTransform = at(file, position + 13);
    }
  }

  /** Entropy-coded data runs on to a marker that is neither a stuffed zero nor a restart. */
  private int endOfScan(int start) {
    for (int i = start; i + 1 < file.length; i++) {
      if (file[i] == (byte) 0xFF) {
        int next = at(file, i + 1);
        if (next != 0 && next != 0xFF && (next < RST0 || next > RST7)) {
          return i;
        }
      }
    }
    throw truncated();
  }

  private boolean startsWith(int position, String ascii) {
    for (int i = 0; i < ascii.length(); i++) {
      if (position + i >= file.length || file[position + i] != ascii.charAt(i)) {
        return false;
      }
    }
    return true;
  }

  private CorruptImageException truncated() {
    return new CorruptImageException(
        name, "the JPEG file ends after %d bytes, before its end marker".formatted(file.length));
  }

  private static int at(byte[] bytes, int index) {
    return bytes[index] & 0xFF;
  }
}
