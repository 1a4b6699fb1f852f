package org.maskedkd.data;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * RandAugment as timm's {@code rand-m9-mstd0.5-inc1} has it: some operations in a row, each drawn
 * from fifteen and left out with probability 1/2, at a magnitude around {@code m} of ten, and of
 * operations that have a neutral point in the middle such that more magnitude is always more
 * change. The operations themselves are Pillow's.
 *
 * @param layers operations in a row
 * @param magnitude of ten
 * @param deviation of the magnitude from one draw to the next
 */
record RandAugment(int layers, double magnitude, double deviation) {
  private static final double MOST = 10;
  private static final double PROBABILITY = 0.5;
  private static final double MOST_DEGREES = 30;
  private static final double MOST_SHEAR = 0.3;
  private static final double MOST_SHIFT = 0.45;
  private static final double MOST_ENHANCEMENT = 0.9;
  private static final int MOST_SOLAR = 110;
  private static final int HALF = 128;
  private static final int MOST_LAYERS = 15;

  private static final Pattern PART = Pattern.compile("(mstd|inc|m|n)(\\d+(?:\\.\\d+)?)");

  private enum Operation {
    AUTO_CONTRAST,
    EQUALIZE,
    INVERT,
    ROTATE,
    POSTERIZE,
    SOLARIZE,
    SOLARIZE_ADD,
    COLOR,
    CONTRAST,
    BRIGHTNESS,
    SHARPNESS,
    SHEAR_X,
    SHEAR_Y,
    TRANSLATE_X,
    TRANSLATE_Y
  }

  private static final Operation[] OPERATIONS = Operation.values();

  /**
   * Reads timm's notation: {@code rand}, then parts with {@code -} between, each once: {@code m}
   * (magnitude, 0 to 10), {@code n} (layers, 2), {@code mstd} (deviation of the magnitude, 0) and
   * {@code inc1}, which must be there.
   *
   * @throws IllegalArgumentException saying what was expected and what was found
   */
  static RandAugment parse(String text) {
    double magnitude = -1;
    double layers = 2;
    double deviation = 0;
    boolean increasing = false;
    String[] parts = text.toLowerCase(Locale.ROOT).split("-", -1);
    boolean sound = parts[0].equals("rand");
    for (int i = 1; i < parts.length; i++) {
      Matcher part = PART.matcher(parts[i]);
      if (!part.matches()) {
        sound = false;
        break;
      }
      double value = Double.parseDouble(part.group(2));
      switch (part.group(1)) {
        case "m" -> magnitude = value;
        case "n" -> layers = value;
        case "mstd" -> deviation = value;
        default -> increasing = value == 1;
      }
    }
    if (!sound
        || !increasing
        || magnitude < 0
        || magnitude > MOST
        || layers < 1
        || layers > MOST_LAYERS
        || layers != Math.rint(layers)
        || deviation > MOST) {
      throw new IllegalArgumentException(
          "rand-augment is '%s', expected the likes of rand-m9-mstd0.5-inc1: a magnitude m of 0 to 10, perhaps n1 to n%d operations and a deviation mstd, and inc1; or nothing"
              .formatted(text, MOST_LAYERS));
    }
    return new RandAugment((int) layers, magnitude, deviation);
  }

  /**
   * Changes the {@code [3, size, size]} image that starts at {@code offset}.
   *
   * @param fill red, green and blue of what comes in from outside
   */
  void apply(byte[] images, int offset, int size, int[] fill, Draws draws) {
    Pixels pixels = new Pixels(images, offset, size);
    for (int layer = 0; layer < layers; layer++) {
      Operation operation = OPERATIONS[draws.below(OPERATIONS.length)];
      if (!draws.chance(PROBABILITY)) {
        continue;
      }
      double drawn = deviation > 0 ? magnitude + deviation * draws.gaussian() : magnitude;
      double level = Math.max(0, Math.min(MOST, drawn)) / MOST;
      double sign = draws.chance(0.5) ? -1 : 1;
      switch (operation) {
        case AUTO_CONTRAST -> pixels.autoContrast();
        case EQUALIZE -> pixels.equalize();
        case INVERT -> pixels.invert();
        case POSTERIZE -> pixels.posterize(4 - (int) (level * 4));
        case SOLARIZE -> pixels.solarize(256 - Math.min(256, (int) (level * 256)));
        case SOLARIZE_ADD -> pixels.solarizeAdd(Math.min(HALF, (int) (level * MOST_SOLAR)), HALF);
        case COLOR -> pixels.color(enhancement(level, sign));
        case CONTRAST -> pixels.contrast(enhancement(level, sign));
        case BRIGHTNESS -> pixels.brightness(enhancement(level, sign));
        case SHARPNESS -> pixels.sharpness(enhancement(level, sign));
        case ROTATE -> Warp.rotation(sign * level * MOST_DEGREES, size).apply(pixels, fill);
        case SHEAR_X -> new Warp(1, sign * level * MOST_SHEAR, 0, 0, 1, 0).apply(pixels, fill);
        case SHEAR_Y -> new Warp(1, 0, 0, sign * level * MOST_SHEAR, 1, 0).apply(pixels, fill);
        case TRANSLATE_X ->
            new Warp(1, 0, sign * level * MOST_SHIFT * size, 0, 1, 0).apply(pixels, fill);
        case TRANSLATE_Y ->
            new Warp(1, 0, 0, 0, 1, sign * level * MOST_SHIFT * size).apply(pixels, fill);
      }
    }
  }

  private static double enhancement(double level, double sign) {
    return Math.max(0.1, 1 + sign * level * MOST_ENHANCEMENT);
  }

  /** What comes in from outside: the mean of the images, as timm has it. */
  static int[] fill(double[] mean) {
    int[] fill = new int[3];
    for (int c = 0; c < 3; c++) {
      fill[c] = (int) Math.max(0, Math.min(255, Math.rint(255 * mean[c])));
    }
    return fill;
  }
}
