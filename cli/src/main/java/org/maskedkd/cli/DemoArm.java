package org.maskedkd.cli;

import java.util.List;

/** The four ways in which the demo trains the same student. */
enum DemoArm {
  ALONE("alone", "student alone", List.of("distillation.kind=none"), 0),
  FULL("full", "full distillation", List.of("masking.keep=1.0"), 1.0),
  MASKED("masked", "MaskedKD, 50 % of patches", List.of(), 0.5),
  RANDOM("random", "random 50 % of patches", List.of("masking.criterion=random"), 0.5);

  /** Name of the arm's run. */
  final String run;

  final String title;

  /** What the arm sets on top of the demo's configuration. */
  final List<String> overrides;

  /** Share of the patches that the teacher sees; 0 for no teacher. */
  final double keep;

  DemoArm(String run, String title, List<String> overrides, double keep) {
    this.run = run;
    this.title = title;
    this.overrides = overrides;
    this.keep = keep;
  }
}
