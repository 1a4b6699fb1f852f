package org.maskedkd.data;

import java.util.Arrays;
import java.util.function.IntUnaryOperator;

/**
 * Changes of colour, in place, as Pillow's {@code ImageOps} and {@code ImageEnhance} make them.
 *
 * @param bytes hold a {@code [3, size, size]} image from {@code offset} on
 */
record Pixels(byte[] bytes, int offset, int size) {
  private static final int LEVELS = 256;

  /** Of Pillow's smoothing kernel: the middle; its eight neighbours weigh 1. */
  private static final int MIDDLE = 5;

  private static final float KERNEL_SUM = 13;

  int count() {
    return size * size;
  }

  private int at(int channel, int i) {
    return bytes[offset + channel * count() + i] & 0xff;
  }

  private void set(int channel, int i, int value) {
    bytes[offset + channel * count() + i] = (byte) value;
  }

  private void each(int channel, IntUnaryOperator change) {
    byte[] table = new byte[LEVELS];
    for (int level = 0; level < LEVELS; level++) {
      table[level] = (byte) Math.max(0, Math.min(LEVELS - 1, change.applyAsInt(level)));
    }
    for (int i = 0; i < count(); i++) {
      set(channel, i, table[at(channel, i)]);
    }
  }

  private void each(IntUnaryOperator change) {
    for (int c = 0; c < 3; c++) {
      each(c, change);
    }
  }

  private int[] histogram(int channel) {
    int[] histogram = new int[LEVELS];
    for (int i = 0; i < count(); i++) {
      histogram[at(channel, i)]++;
    }
    return histogram;
  }

  /** Each channel from its darkest to its brightest is stretched over all levels. */
  void autoContrast() {
    for (int c = 0; c < 3; c++) {
      int[] histogram = histogram(c);
      int low = 0;
      int high = LEVELS - 1;
      while (low < LEVELS - 1 && histogram[low] == 0) {
        low++;
      }
      while (high > 0 && histogram[high] == 0) {
        high--;
      }
      if (high > low) {
        double scale = 255.0 / (high - low);
        double shift = -low * scale;
        each(c, level -> (int) (level * scale + shift));
      }
    }
  }

  /** Each channel's levels become about equally frequent. */
  void equalize() {
    for (int c = 0; c < 3; c++) {
      int[] histogram = histogram(c);
      int last = 0;
      for (int level = 0; level < LEVELS; level++) {
        last = histogram[level] > 0 ? histogram[level] : last;
      }
      int step = (count() - last) / (LEVELS - 1);
      if (step == 0) {
        continue;
      }
      int[] table = new int[LEVELS];
      int sum = step / 2;
      for (int level = 0; level < LEVELS; level++) {
        table[level] = sum / step;
        sum += histogram[level];
      }
      each(c, level -> table[level]);
    }
  }

  void invert() {
    each(level -> LEVELS - 1 - level);
  }

  /** Keeps the highest bits of each level; from 8 on nothing changes. */
  void posterize(int bits) {
    int mask = bits >= Byte.SIZE ? 0xff : -(1 << (Byte.SIZE - bits)) & 0xff;
    each(level -> level & mask);
  }

  /** Inverts from a threshold on. */
  void solarize(int threshold) {
    each(level -> level < threshold ? level : LEVELS - 1 - level);
  }

  /** Adds to what is below a threshold. */
  void solarizeAdd(int added, int threshold) {
    each(level -> level < threshold ? level + added : level);
  }

  /** Luminance by ITU-R 601-2, in 16 bits of fraction. */
  private int luminance(int i) {
    return (at(0, i) * 19595 + at(1, i) * 38470 + at(2, i) * 7471 + 0x8000) >> 16;
  }

  /** From {@code plain} (factor 0) over {@code level} (1) to what lies beyond. */
  private static int blend(int plain, int level, float factor) {
    float blended = plain + factor * (level - plain);
    return blended <= 0 ? 0 : blended >= LEVELS - 1 ? LEVELS - 1 : (int) blended;
  }

  /** Saturation: 0 is grey, 1 the image. */
  void color(double factor) {
    for (int i = 0; i < count(); i++) {
      int grey = luminance(i);
      for (int c = 0; c < 3; c++) {
        set(c, i, blend(grey, at(c, i), (float) factor));
      }
    }
  }

  /** 0 is the mean grey everywhere, 1 the image. */
  void contrast(double factor) {
    long sum = 0;
    for (int i = 0; i < count(); i++) {
      sum += luminance(i);
    }
    int mean = (int) ((double) sum / count() + 0.5);
    each(level -> blend(mean, level, (float) factor));
  }

  /** 0 is black, 1 the image. */
  void brightness(double factor) {
    each(level -> blend(0, level, (float) factor));
  }

  /** 0 is smoothed by 3 x 3 pixels, 1 the image; the border stays. */
  void sharpness(double factor) {
    for (int c = 0; c < 3; c++) {
      int from = offset + c * count();
      byte[] plane = Arrays.copyOfRange(bytes, from, from + count());
      for (int y = 1; y < size - 1; y++) {
        for (int x = 1; x < size - 1; x++) {
          int sum = (MIDDLE - 1) * (plane[y * size + x] & 0xff);
          for (int row = y - 1; row <= y + 1; row++) {
            for (int column = x - 1; column <= x + 1; column++) {
              sum += plane[row * size + column] & 0xff;
            }
          }
          int smooth = (int) (sum / KERNEL_SUM + 0.5f);
          set(c, y * size + x, blend(smooth, plane[y * size + x] & 0xff, (float) factor));
        }
      }
    }
  }
}
