package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ExponentialTest {

  private static final long SEED = 11;
  private static final MathContext DIGITS = new MathContext(40);

  @Test
  void replace_everyMagnitude_isWithinOneUnitInTheLastPlace() {
    Random random = new Random(SEED);
    double[] x = new double[6000];
    for (int i = 0; i < x.length; i++) {
      x[i] =
          switch (i % 4) {
            case 0 -> -random.nextDouble();
            case 1 -> -50 * random.nextDouble();
            case 2 -> -746 * random.nextDouble();
            // Where the argument is reduced to the next multiple of ln 2 or to the one before.
            default -> -(random.nextInt(1074) + 0.5 + 1e-9 * random.nextGaussian()) * Math.log(2);
          };
    }

    double[] y = x.clone();
    double sum = new Exponential().replace(y);

    double worst = 0;
    for (int i = 0; i < x.length; i++) {
      BigDecimal error = new BigDecimal(y[i]).subtract(reference(x[i])).abs();
      double units = error.divide(new BigDecimal(Math.ulp(y[i])), DIGITS).doubleValue();
      assertThat(units).as("units in the last place at %s, seed %s", x[i], SEED).isLessThan(1);
      worst = Math.max(worst, units);
    }
    assertThat(worst).as("even a correctly rounded result is off by up to 0.5").isGreaterThan(0.3);
    double plain = Arrays.stream(x).map(StrictMath::exp).sum();
    assertThat(Math.abs(sum / plain - 1)).isLessThan(1e-13);
  }

  /** e^x by its series at x / 2^12, squared twelve times. */
  private static BigDecimal reference(double x) {
    BigDecimal small = new BigDecimal(x).divide(BigDecimal.valueOf(4096), DIGITS);
    BigDecimal term = BigDecimal.ONE;
    BigDecimal sum = BigDecimal.ONE;
    for (int n = 1; n < 40; n++) {
      term = term.multiply(small, DIGITS).divide(BigDecimal.valueOf(n), DIGITS);
      sum = sum.add(term, DIGITS);
    }
    for (int n = 0; n < 12; n++) {
      sum = sum.multiply(sum, DIGITS);
    }
    return sum;
  }

  @Test
  void replace_edges_areExact() {
    double last = Math.log(Double.MIN_VALUE);
    double[] values = {
      0,
      -0.0,
      -Double.MIN_VALUE,
      last,
      -745.2,
      -1e6,
      -1e300,
      -Double.MAX_VALUE,
      Double.NEGATIVE_INFINITY
    };

    new Exponential().replace(values);

    assertThat(values).containsExactly(1, 1, 1, Double.MIN_VALUE, 0, 0, 0, 0, 0);
  }

  @Test
  void replace_notANumberOfAnyKind_staysOneAndSpoilsTheSum() {
    double[] values = {
      -1,
      Double.NaN,
      Double.longBitsToDouble(0x7ff80000ffffffffL),
      Double.longBitsToDouble(0xfff8000080000001L),
      Float.intBitsToFloat(0x7fc00007),
      -2
    };

    double sum = new Exponential().replace(values);

    assertThat(Arrays.copyOfRange(values, 1, 5)).containsOnly(Double.NaN);
    assertThat(values[0]).isCloseTo(Math.exp(-1), within(1e-16));
    assertThat(values[5]).isCloseTo(Math.exp(-2), within(1e-16));
    assertThat(sum).isNaN();
  }

  @Test
  void replace_anyLength_givesTheSameBitsAsOneByOne() {
    Random random = new Random(SEED);
    Exponential exponential = new Exponential();
    for (int length = 0; length < 40; length++) {
      double[] values = random.doubles(length, -30, 0).toArray();
      double[] alone = new double[length];
      for (int i = 0; i < length; i++) {
        double[] one = {values[i]};
        exponential.replace(one);
        alone[i] = one[0];
      }

      exponential.replace(values);

      assertThat(values).as("length %s, seed %s", length, SEED).isEqualTo(alone);
    }
  }
}
