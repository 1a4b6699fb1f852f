package org.maskedkd.cli;

import org.maskedkd.schedule.Cost;
import org.maskedkd.schedule.Costs;
import picocli.CommandLine.Option;

/** What the parts of a step take, in a unit of the caller's choice. */
final class CostOptions {
  private static final double UNSET = -1;

  @Option(
      names = "--forward",
      required = true,
      paramLabel = "TIME",
      description = "Of the student's forward, with the whole batch in one piece.")
  private double forward;

  @Option(
      names = "--backward",
      required = true,
      paramLabel = "TIME",
      description = "Of the student's backward.")
  private double backward;

  @Option(
      names = "--teacher",
      required = true,
      paramLabel = "TIME",
      description = "Of the teacher's forward on the kept patches.")
  private double teacher;

  @Option(
      names = "--teacher-full",
      paramLabel = "TIME",
      description = "Of the teacher's forward on all patches (concurrent-full). Default: --teacher")
  private double teacherFull = UNSET;

  @Option(
      names = "--overhead",
      defaultValue = "0",
      paramLabel = "TIME",
      description =
          "What every forward, teacher's forward and backward takes besides, however small. Default: ${DEFAULT-VALUE}")
  private double overhead;

  @Option(
      names = "--overhead-forward",
      paramLabel = "TIME",
      description = "Of a forward. Default: --overhead")
  private double overheadForward = UNSET;

  @Option(
      names = "--overhead-teacher",
      paramLabel = "TIME",
      description = "Of a teacher's forward. Default: --overhead")
  private double overheadTeacher = UNSET;

  @Option(
      names = "--overhead-backward",
      paramLabel = "TIME",
      description = "Of a backward. Default: --overhead")
  private double overheadBackward = UNSET;

  @Option(
      names = "--transfer",
      defaultValue = "0",
      paramLabel = "TIME",
      description =
          "Of a micro-batch on its way to a teacher, and as long back. Default: ${DEFAULT-VALUE}")
  private double transfer;

  @Option(
      names = "--indices",
      paramLabel = "TIME",
      description = "From a forward to the teacher. Default: --transfer")
  private double indices = UNSET;

  @Option(
      names = "--signals",
      paramLabel = "TIME",
      description = "From a teacher's forward to the student. Default: --transfer")
  private double signals = UNSET;

  @Option(
      names = "--optimizer",
      defaultValue = "0",
      paramLabel = "TIME",
      description = "Of the update that ends a step. Default: ${DEFAULT-VALUE}")
  private double optimizer;

  /** With the teacher's forward on the kept patches. */
  Costs masked(int batch) {
    return costs(batch, time("--teacher", teacher));
  }

  /** With the teacher's forward on all patches. */
  Costs full(int batch) {
    return costs(batch, time("--teacher-full", teacherFull == UNSET ? teacher : teacherFull));
  }

  private Costs costs(int batch, double teacherTime) {
    double each = time("--overhead", overhead);
    double way = time("--transfer", transfer);
    double there = time("--indices", or(indices, way));
    double back = time("--signals", or(signals, way));
    return new Costs(
        Cost.linear(
            time("--overhead-forward", or(overheadForward, each)),
            time("--forward", forward) / batch),
        Cost.linear(time("--overhead-teacher", or(overheadTeacher, each)), teacherTime / batch),
        Cost.linear(
            time("--overhead-backward", or(overheadBackward, each)),
            time("--backward", backward) / batch),
        samples -> there,
        samples -> back,
        time("--optimizer", optimizer));
  }

  private static double or(double value, double otherwise) {
    return value == UNSET ? otherwise : value;
  }

  private static double time(String option, double value) {
    if (!(value >= 0) || Double.isInfinite(value)) {
      throw new IllegalArgumentException(option + " must be a time from 0 on, found " + value);
    }
    return value;
  }
}
