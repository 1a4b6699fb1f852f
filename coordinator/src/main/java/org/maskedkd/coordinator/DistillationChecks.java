package org.maskedkd.coordinator;

import java.util.List;
import java.util.Locale;

/** What must hold between masks, objectives and the cut into micro-batches. */
final class DistillationChecks extends RuleChecks {

  DistillationChecks(List<String> broken) {
    super(broken);
  }

  void check(RunConfig c) {
    masking(c);
    objective(c);
    groups(c);
  }

  private void masking(RunConfig c) {
    RunConfig.Masking m = c.masking();
    require(
        m.keepEnd() >= 0 && m.keepEnd() <= 1,
        "masking.keep-end is %s, expected a share of the patches in (0, 1], or 0 for masking.keep"
            + " in all epochs",
        m.keepEnd());
    require(
        m.randomShare() >= 0 && m.randomShare() < 1,
        "masking.random-share is %s, expected a share of the kept patches in [0, 1); for all of"
            + " them there is masking.criterion random",
        m.randomShare());
    require(
        m.who() == RunConfig.Who.TEACHER || c.distils(),
        "masking.who is %s, which masks the student in distillation, found no teacher: expected"
            + " teacher",
        m.who().name().toLowerCase(Locale.ROOT));
    boolean model = m.criterion() == RunConfig.Criterion.MODEL;
    require(
        model == !m.weights().isEmpty() && model == !m.model().isEmpty(),
        "masking.criterion is %s, masking.model '%s' and masking.weights '%s': expected model with"
            + " both, or another criterion without",
        m.criterion().name().toLowerCase(Locale.ROOT),
        m.model(),
        m.weights());
    require(
        m.criterion() != RunConfig.Criterion.TEACHER
            || !c.teacher().model().isEmpty()
                && !c.teacher().weights().isEmpty()
                && !c.teacher().weights().startsWith("random:"),
        "masking.criterion is teacher, which the student computes with teacher.model and the file"
            + " teacher.weights; found '%s' and '%s'",
        c.teacher().model(),
        c.teacher().weights());
  }

  private void objective(RunConfig c) {
    RunConfig.Distillation d = c.distillation();
    share("distillation.alpha", d.alpha());
    positive("distillation.temperature", d.temperature());
    RunConfig.Manifold m = d.manifold();
    RunConfig.AttentionMaps a = d.attention();
    notNegative("distillation.manifold.weight", m.weight());
    notNegative("distillation.manifold.patch", m.patch());
    notNegative("distillation.manifold.sample", m.sample());
    notNegative("distillation.manifold.random", m.random());
    atLeast("distillation.manifold.rows", m.rows(), 1);
    atLeast("distillation.manifold.group", m.group(), 1);
    notNegative("distillation.attention.weight", a.weight());
    require(
        c.distils() || (m.weight() == 0 && a.weight() == 0 && d.heads() == RunConfig.Heads.MEAN),
        "distillation.manifold.weight is %s, distillation.attention.weight %s and"
            + " distillation.heads %s, which need a teacher, found none",
        m.weight(),
        a.weight(),
        d.heads().name().toLowerCase(Locale.ROOT));
    require(
        m.weight() == 0 || m.patch() + m.sample() + m.random() > 0,
        "distillation.manifold.weight is %s, but patch, sample and random are all 0: expected one"
            + " of them to be more",
        m.weight());
    require(
        (m.weight() == 0 && a.weight() == 0)
            || (c.teacher().merge() == 0 && c.masking().who() == RunConfig.Who.TEACHER),
        "distillation.manifold and distillation.attention compare patches of the same places:"
            + " expected teacher.merge 0 and masking.who teacher, found %s and %s",
        c.teacher().merge(),
        c.masking().who().name().toLowerCase(Locale.ROOT));
    pairs("distillation.manifold", m.studentBlocks(), m.teacherBlocks());
    pairs("distillation.attention", a.studentBlocks(), a.teacherBlocks());
  }

  private void pairs(String key, List<Integer> student, List<Integer> teacher) {
    require(
        student.size() == teacher.size(),
        "%s.student-blocks %s and teacher-blocks %s are pairs: expected as many of both, or none"
            + " for the default",
        key,
        student,
        teacher);
  }

  /** Images that are related to each other must be in one micro-batch, whatever the cut. */
  private void groups(RunConfig c) {
    RunConfig.Manifold m = c.distillation().manifold();
    RunConfig.Schedule s = c.schedule();
    if (!m.relatesImages() || m.group() < 1) {
      return;
    }
    String use =
        "distillation.manifold relates the images of a group of "
            + m.group()
            + " to each other (group; patch alone would not)";
    require(
        !s.microBatches().isAuto(),
        "%s, and schedule.micro-batches is auto: expected a number or sizes",
        use);
    int count = s.microBatches().count();
    boolean canBeCut = !s.microBatches().isAuto() && count >= 1 && s.batch() >= count;
    List<Integer> sizes = canBeCut ? Planner.sizes(s) : List.of();
    require(
        sizes.stream().allMatch(size -> size % m.group() == 0),
        "%s, which micro-batches must not cut: expected sizes that are multiples of it, found %s",
        use,
        sizes);
  }
}
