package org.maskedkd.coordinator;

/**
 * The exponential function of many numbers at once, for a softmax: arguments are at most 0.
 *
 * <p>{@code Math.exp} is called number by number, may differ by a bit from one Java to another, and
 * took most of the loss's time. Here x is cut into k ln 2 + r with |r| at most ln 2 / 2; the Taylor
 * polynomial of e^r and the powers of two are separate loops, so that the first, which has no
 * branch and no conversion, becomes vector instructions. All of it is plain IEEE arithmetic, the
 * same bits everywhere. The result differs by less than one unit in the last place from the true
 * value.
 */
final class Exponential {
  /** Where the result is 0 for good; e^-745.2 is below half of the smallest double. */
  private static final double LEAST = -746;

  private static final double INVERSE_LN2 = 0x1.71547652b82fep0;

  // The first part has so few bits that its product with k is exact.
  private static final double LN2_HIGH = 0x1.62e42feep-1;
  private static final double LN2_LOW = 0x1.a39ef35793c76p-33;

  /** Added and subtracted, it rounds to an integer, which then stands in the sum's low bits. */
  private static final double ROUNDER = 0x1.8p52;

  /**
   * Powers are 2^LIFT too great until the end, so that a result below the normal range is rounded
   * only once.
   */
  private static final int LIFT = 64;

  private static final double DROP = 0x1p-64;

  /** Where a double's exponent begins, and what it is greater by than it says. */
  private static final int EXPONENT = 52;

  private static final int BIAS = 1023;

  private static final double C3 = 1 / 6.0;
  private static final double C4 = 1 / 24.0;
  private static final double C5 = 1 / 120.0;
  private static final double C6 = 1 / 720.0;
  private static final double C7 = 1 / 5040.0;
  private static final double C8 = 1 / 40320.0;
  private static final double C9 = 1 / 362880.0;
  private static final double C10 = 1 / 3628800.0;
  private static final double C11 = 1 / 39916800.0;
  private static final double C12 = 1 / 479001600.0;
  private static final double C13 = 1 / 6227020800.0;

  private double[] shifted = new double[0];

  /**
   * Replaces every x of {@code values}, at most 0 or not a number, by e^x.
   *
   * @return the sum of the results, in an order that depends on the length alone
   */
  double replace(double[] values) {
    if (shifted.length != values.length) {
      shifted = new double[values.length];
    }
    polynomials(values, shifted);
    return scale(values, shifted);
  }

  private static void polynomials(double[] values, double[] shifted) {
    for (int i = 0; i < values.length; i++) {
      double x = Math.max(values[i], LEAST);
      double s = x * INVERSE_LN2 + ROUNDER;
      double k = s - ROUNDER;
      double r = (x - k * LN2_HIGH) - k * LN2_LOW;
      double q = C13;
      q = q * r + C12;
      q = q * r + C11;
      q = q * r + C10;
      q = q * r + C9;
      q = q * r + C8;
      q = q * r + C7;
      q = q * r + C6;
      q = q * r + C5;
      q = q * r + C4;
      q = q * r + C3;
      q = q * r + 0.5;
      shifted[i] = s;
      values[i] = (q * (r * r) + r) + 1;
    }
  }

  private static double scale(double[] values, double[] shifted) {
    for (int i = 0; i < values.length; i++) {
      values[i] = values[i] * lifted(shifted[i]) * DROP;
    }
    return sum(values);
  }

  /** 2^(k + LIFT): the low bits that hold k become an exponent. */
  private static double lifted(double shifted) {
    return Double.longBitsToDouble(
        (Double.doubleToRawLongBits(shifted) + (LIFT + BIAS)) << EXPONENT);
  }

  /** The sum, in an order that depends on the length alone. */
  static double sum(double[] values) {
    // Four sums, because an addition waits for the one before it.
    double a = 0;
    double b = 0;
    double c = 0;
    double d = 0;
    int i = 0;
    for (; i <= values.length - 4; i += 4) {
      a += values[i];
      b += values[i + 1];
      c += values[i + 2];
      d += values[i + 3];
    }
    for (; i < values.length; i++) {
      a += values[i];
    }
    return (a + b) + (c + d);
  }
}
