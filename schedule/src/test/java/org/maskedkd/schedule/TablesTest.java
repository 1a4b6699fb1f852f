package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Collections;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Published tables of step times for a student of F = 1 and B = 2, without overheads, to their
 * printed digits.
 */
class TablesTest {
  private static final int BATCH = 768;

  private static Simulation run(Order order, double teacher, int m, int teachers) {
    return Simulator.run(
        SchedulePlanner.plan(order, SchedulePlanner.uniform(BATCH, m), BATCH, teachers),
        Costs.ideal(BATCH, 1, teacher, 2),
        Collections.nCopies(teachers, 1.0));
  }

  private static void assertPrinted(double value, String printed) {
    int digits = printed.length() - printed.indexOf('.') - 1;
    // A tie such as 6.0625 may have been rounded either way.
    double half = 0.5 * Math.pow(10, -digits);
    assertThat(value).isCloseTo(Double.parseDouble(printed), within(half + 1e-9));
  }

  @ParameterizedTest
  @CsvSource({
    // M, strict T=8, eager T=8, bubble, strict T=4, eager T=4, bubble, eager T=3, bubble,
    // eager T=1.9, bubble
    "1, 11.000, 11.000, 27.3, 7.000, 7.000, 42.9, 6.000, 50.0, 4.900, 38.8",
    "2, 10.50, 9.500, 15.8, 6.50, 5.500, 27.3, 4.500, 33.3, 3.450, 13.0",
    "4, 10.25, 8.750, 8.6, 6.25, 4.750, 15.8, 3.750, 20.0, 3.000, 0.0",
    "8, 10.13, 8.375, 4.5, 6.125, 4.375, 8.6, 3.375, 11.1, 3.000, 0.0",
    "16, 10.06, 8.188, 2.3, 6.063, 4.188, 4.5, 3.188, 5.9, 3.000, 0.0",
    "32, 10.03, 8.094, 1.2, 6.031, 4.094, 2.3, 3.094, 3.0, 3.000, 0.0",
  })
  void oneTeacher_uniform_takesThePrintedTimes(
      int m,
      String strict8,
      String eager8,
      String bubble8,
      String strict4,
      String eager4,
      String bubble4,
      String eager3,
      String bubble3,
      String eager19,
      String bubble19) {
    assertPrinted(run(Order.FILL_DRAIN, 8, m, 1).step(), strict8);
    assertPrinted(run(Order.FILL_DRAIN, 4, m, 1).step(), strict4);
    assertEager(8, m, 1, eager8, bubble8);
    assertEager(4, m, 1, eager4, bubble4);
    assertEager(3, m, 1, eager3, bubble3);
    assertEager(1.9, m, 1, eager19, bubble19);
  }

  private static void assertEager(double teacher, int m, int teachers, String step, String bubble) {
    Simulation simulation = run(Order.EAGER, teacher, m, teachers);
    assertPrinted(simulation.step(), step);
    assertPrinted(100 * simulation.bubble(), bubble);
  }

  @ParameterizedTest
  @CsvSource({
    // T, K, M, step, bubble, speed-up over one device after the other
    "8, 2, 2, 6.50, 38.5, 1.69",
    "8, 2, 4, 5.25, 23.8, 2.10",
    "8, 2, 8, 4.63, 13.5, 2.38",
    "8, 2, 16, 4.31, 7.2, 2.55",
    "8, 2, 32, 4.16, 3.8, 2.65",
    "8, 3, 2, 6.50, 53.8, 1.69",
    "8, 3, 4, 4.75, 36.8, 2.32",
    "8, 3, 8, 3.63, 17.2, 3.03",
    "8, 3, 16, 3.19, 5.9, 3.45",
    "8, 3, 32, 3.00, 0.0, 3.67",
    "4, 2, 2, 4.50, 33.3, 1.56",
    "4, 2, 4, 3.25, 7.7, 2.15",
    "4, 2, 8, 3.00, 0.0, 2.33",
    "4, 2, 16, 3.00, 0.0, 2.33",
    "4, 2, 32, 3.00, 0.0, 2.33",
    "3, 2, 2, 4.00, 25.0, 1.50",
    "3, 2, 4, 3.00, 0.0, 2.00",
    "3, 2, 8, 3.00, 0.0, 2.00",
  })
  void moreTeachers_uniform_takeThePrintedTimes(
      double teacher, int teachers, int m, String step, String bubble, String speedUp) {
    assertEager(teacher, m, teachers, step, bubble);
    assertPrinted((3 + teacher) / run(Order.EAGER, teacher, m, teachers).step(), speedUp);
  }

  @ParameterizedTest
  @CsvSource({
    "4, 1:4:2:1, 4.375",
    "4, 1:4:8:4:2:1, 4.150",
    "4, 1:4:16:16:8:4:2:1, 4.058",
  })
  void oneTeacher_growingAndShrinkingSizes_takeThePrintedTimes(
      double teacher, String shares, String step) {
    List<Integer> sizes = List.of(shares.split(":")).stream().map(Integer::valueOf).toList();
    int batch = sizes.stream().mapToInt(Integer::intValue).sum();
    Simulation simulation =
        Simulator.run(
            SchedulePlanner.plan(Order.EAGER, sizes, batch, 1),
            Costs.ideal(batch, 1, teacher, 2),
            List.of(1.0));
    assertPrinted(simulation.step(), step);
  }

  /** F = 1, B = 2 with 0.01 for every task, 0.02 on either way and 0.05 for the optimizer. */
  private static Simulation withOverheads(Order order, double teacher, List<Integer> sizes) {
    int batch = sizes.stream().mapToInt(Integer::intValue).sum();
    Costs costs =
        new Costs(
            Cost.linear(0.01, 1.0 / batch),
            Cost.linear(0.01, teacher / batch),
            Cost.linear(0.01, 2.0 / batch),
            n -> 0.02,
            n -> 0.02,
            0.05);
    return Simulator.run(SchedulePlanner.plan(order, sizes, batch, 1), costs, List.of(1.0));
  }

  @ParameterizedTest
  @CsvSource({
    "4, 4.900, 18.4, 6.430",
    "8, 4.565, 12.4, 6.385",
    "16, 4.457, 10.3, 6.482",
    "32, 4.524, 11.6, 6.771",
  })
  void oneTeacher_uniformWithOverheads_takesThePrintedTimes(
      int m, String eager, String bubble, String strict) {
    List<Integer> sizes = SchedulePlanner.uniform(BATCH, m);
    double step = withOverheads(Order.EAGER, 4, sizes).step();
    assertPrinted(step, eager);
    // Overheads and the update count as idle there.
    assertPrinted(100 * (1 - 4 / step), bubble);
    assertPrinted(withOverheads(Order.FILL_DRAIN, 4, sizes).step(), strict);
  }

  @ParameterizedTest
  @CsvSource({
    "4, 4:16:58:29:14:7, 4.326",
    "4, 3:10:39:39:20:10:5:2, 4.260",
    "3, 4:13:38:28:19:12:8:6, 3.323",
    "8, 4:25:75:19:5, 8.269",
  })
  void oneTeacher_integerSizesWithOverheads_takeThePrintedTimes(
      double teacher, String listed, String step) {
    List<Integer> sizes = List.of(listed.split(":")).stream().map(Integer::valueOf).toList();
    assertPrinted(withOverheads(Order.EAGER, teacher, sizes).step(), step);
  }

  @ParameterizedTest
  @CsvSource({"0.01, 17, 4.366", "0.02, 12, 4.530", "0.05, 8, 4.875", "0.10, 5, 5.300"})
  void oneTeacher_bestUniformWithOverheads_isThePrinted(double o, int best, String printed) {
    double shortest = Double.POSITIVE_INFINITY;
    int fewest = 0;
    for (int m = 1; m <= 40; m++) {
      double share = 1.0 / m;
      Costs costs =
          new Costs(
              n -> o + share, n -> o + 4 * share, n -> o + 2 * share, Cost.NONE, Cost.NONE, 0);
      double step =
          Simulator.run(
                  SchedulePlanner.plan(Order.EAGER, Collections.nCopies(m, 1), m, 1),
                  costs,
                  List.of(1.0))
              .step();
      if (step < shortest - 1e-9) {
        shortest = step;
        fewest = m;
      }
    }
    assertThat(fewest).isEqualTo(best);
    assertPrinted(shortest, printed);
  }
}
