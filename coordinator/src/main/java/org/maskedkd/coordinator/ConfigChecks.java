package org.maskedkd.coordinator;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.TlsFiles;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.SchedulePlanner;

/** Every rule a configuration must keep; all that are broken are told at once. */
final class ConfigChecks extends RuleChecks {

  private ConfigChecks() {
    super(new ArrayList<>());
  }

  /**
   * @throws RunException with {@link ExitCode#USAGE} that names each broken rule with the value
   *     found
   */
  static void check(RunConfig c) {
    ConfigChecks checks = new ConfigChecks();
    checks.names(c);
    checks.models(c);
    checks.learning(c);
    new DistillationChecks(checks.broken()).check(c);
    checks.images(c);
    checks.schedule(c);
    checks.rest(c);
    checks.tls(c);
    if (!checks.broken().isEmpty()) {
      throw new RunException(
          ExitCode.USAGE,
          "the configuration cannot be used: " + String.join("; ", checks.broken()));
    }
  }

  private void names(RunConfig c) {
    require(
        c.name().matches("[A-Za-z0-9][A-Za-z0-9._-]*"),
        "name is \"%s\", expected letters, digits, dots, dashes and underscores",
        c.name());
    require(!c.student().model().isEmpty(), "student.model is missing; name the student's model");
    require(!c.data().train().isEmpty(), "data.train is missing; name the training images");
    require(!c.data().eval().isEmpty(), "data.eval is missing; name the evaluation images");
  }

  private void models(RunConfig c) {
    statistics("student", c.student().mean(), c.student().std());
    statistics("teacher", c.teacher().mean(), c.teacher().std());
    atLeast("student.threads", c.student().threads(), 0);
    atLeast("teacher.merge", c.teacher().merge(), 0);
    atLeast("teacher.threads", c.teacher().threads(), 0);
    atLeast("teacher.replicas", c.teacher().replicas(), 1);
    atLeast("student.retry-seconds", c.student().retrySeconds(), 1);
    atLeast("student.silence-seconds", c.student().silenceSeconds(), 1);
    atLeast("teacher.retry-seconds", c.teacher().retrySeconds(), 1);
    positive("teacher.resolve-seconds", c.teacher().resolveSeconds());
    positive("teacher.first-answer-seconds", c.teacher().firstAnswerSeconds());
    positive("teacher.least-deadline-seconds", c.teacher().leastDeadlineSeconds());
    require(
        c.teacher().deadlineFactor() >= 1 && Double.isFinite(c.teacher().deadlineFactor()),
        "teacher.deadline-factor is %s, expected at least 1",
        c.teacher().deadlineFactor());
    require(
        c.teacher().hedgeFraction() >= 0 && c.teacher().hedgeFraction() <= 1,
        "teacher.hedge-fraction is %s, expected [0, 1]",
        c.teacher().hedgeFraction());
    require(
        c.student().dropPath() >= 0 && c.student().dropPath() < 1,
        "student.drop-path is %s, expected [0, 1)",
        c.student().dropPath());
    require(
        c.student().train() == RunConfig.Trained.ALL
            || c.student().dropPath() == 0 && !c.student().init().isEmpty(),
        "student.train is head, so that the features stay as they are: expected student.init, a"
            + " file that has them, and student.drop-path 0, found '%s' and %s",
        c.student().init(),
        c.student().dropPath());
    require(
        !c.distils() || !c.teacher().weights().isEmpty() || !c.teacher().addresses().isEmpty(),
        "teacher.weights is missing; name the weights of teacher.model, which is %s, or the"
            + " teachers that already run by teacher.addresses",
        c.teacher().model());
    leavesPatchesOut("teacher.model", c.teacher().model());
    leavesPatchesOut("masking.model", c.masking().model());
    double keep = c.masking().keep();
    require(
        keep > 0 && keep <= 1,
        "masking.keep is %s, expected a share of the patches in (0, 1]",
        keep);
  }

  /** What auto stands for, the stages see. */
  private void leavesPatchesOut(String key, String model) {
    require(
        !model.strip().startsWith("swin"),
        "%s is '%s', whose windows need every patch: expected a model that can leave patches out;"
            + " a Swin transformer can be student.model",
        key,
        model);
  }

  private void statistics(String who, List<Double> mean, List<Double> std) {
    require(
        !mean.isEmpty() && mean.size() == std.size(),
        "%s.mean has %s values and %s.std has %s, expected one of each per channel",
        who,
        mean.size(),
        who,
        std.size());
    require(
        std.stream().allMatch(s -> s > 0 && Double.isFinite(s)),
        "%s.std is %s, expected positive values",
        who,
        std);
  }

  private void learning(RunConfig c) {
    RunConfig.Optimizer o = c.optimizer();
    require(
        o.layerDecay() > 0 && o.layerDecay() <= 1,
        "optimizer.layer-decay is %s, expected (0, 1]",
        o.layerDecay());
    positive("optimizer.learning-rate", o.learningRate());
    notNegative("optimizer.min-learning-rate", o.minLearningRate());
    notNegative("optimizer.warmup-learning-rate", o.warmupLearningRate());
    notNegative("optimizer.warmup-epochs", o.warmupEpochs());
    require(
        o.warmupEpochs() <= c.schedule().epochs(),
        "optimizer.warmup-epochs is %s, expected at most schedule.epochs, which is %s",
        o.warmupEpochs(),
        c.schedule().epochs());
    belowOne("optimizer.beta1", o.beta1());
    belowOne("optimizer.beta2", o.beta2());
    positive("optimizer.epsilon", o.epsilon());
    notNegative("optimizer.weight-decay", o.weightDecay());
    notNegative("optimizer.clip-norm", o.clipNorm());
    belowOne("ema.decay", c.ema().decay());
  }

  private void images(RunConfig c) {
    RunConfig.Augmentation a = c.augmentation();
    atLeast("augmentation.padding", a.padding(), 0);
    require(
        a.scaleMin() > 0 && a.scaleMin() <= a.scaleMax() && a.scaleMax() <= 1,
        "augmentation.scale-min and scale-max are %s and %s, expected 0 < min <= max <= 1",
        a.scaleMin(),
        a.scaleMax());
    require(
        a.ratioMin() > 0 && a.ratioMin() <= a.ratioMax() && Double.isFinite(a.ratioMax()),
        "augmentation.ratio-min and ratio-max are %s and %s, expected 0 < min <= max",
        a.ratioMin(),
        a.ratioMax());
    share("augmentation.flip", a.flip());
    share("augmentation.color-jitter", a.colorJitter());
    require(
        a.colorJitter() == 0 || a.randAugment().isEmpty(),
        "augmentation.color-jitter is %s and rand-augment %s, which changes colours itself (as in"
            + " timm, where one leaves the other out); expected one of them",
        a.colorJitter(),
        a.randAugment());
    atLeast("augmentation.repeats", a.repeats(), 1);
    notNegative("augmentation.mixup", a.mixup());
    notNegative("augmentation.cutmix", a.cutmix());
    share("augmentation.mix-probability", a.mixProbability());
    share("augmentation.cutmix-share", a.cutmixShare());
    share("augmentation.erasing", a.erasing());
    belowOne("augmentation.label-smoothing", a.labelSmoothing());
    require(
        a.evalCrop() >= 0 && a.evalCrop() <= 1,
        "augmentation.eval-crop is %s, expected (0, 1], or 0 for the default of the image size",
        a.evalCrop());
    atLeast("data.workers", c.data().workers(), 1);
    atLeast("data.train-limit", c.data().trainLimit(), 0);
    atLeast("data.shuffle-shards", c.data().shuffleShards(), 0);
  }

  private void schedule(RunConfig c) {
    RunConfig.Schedule s = c.schedule();
    atLeast("schedule.epochs", s.epochs(), 1);
    atLeast("schedule.batch", s.batch(), 1);
    MicroBatches m = s.microBatches();
    if (!m.isAuto()) {
      atLeast("schedule.micro-batches", m.count(), 1);
    }
    if (s.batch() < 1 || (m.count() < 1 && !m.isAuto())) {
      return;
    }
    require(
        !m.isAuto() || (s.order() == Order.EAGER && c.distils()),
        "schedule.micro-batches is auto, which needs a teacher and order: eager, found %s",
        c.distils() ? s.order().text() : "no teacher");
    atLeast("schedule.window", s.window(), 1);
    if (s.window() < 1) {
      return;
    }
    if (s.batch() < m.count()) {
      require(
          false,
          "schedule.batch is %s, too small for %s micro-batches (schedule.micro-batches)",
          s.batch(),
          m.count());
      return;
    }
    if (!m.sizes().isEmpty()) {
      int sum = m.sizes().stream().mapToInt(Integer::intValue).sum();
      require(
          sum == s.batch() && m.sizes().stream().allMatch(size -> size >= 1),
          "schedule.micro-batches is %s, which adds up to %s; expected positive sizes that add up"
              + " to schedule.batch, which is %s",
          m.sizes(),
          sum,
          s.batch());
    }
    int needed = SchedulePlanner.leastWindow(s.order(), Planner.sizes(s));
    require(
        s.window() >= needed,
        "schedule.window is %s samples, but order %s must hold %s of them at once (batch %s,"
            + " largest micro-batch %s)",
        s.window(),
        s.order().text(),
        needed,
        s.batch(),
        Planner.largest(s));
    require(
        s.order() != Order.CONCURRENT_FULL
            || !c.distils()
            || c.masking().keepsAll()
            || c.masking().who() == RunConfig.Who.STUDENT
            || c.masking().criterion() != RunConfig.Criterion.STUDENT,
        "schedule.order is concurrent-full, where the teacher begins before the student has chosen"
            + " any patches; masking.keep is %s and must be 1 (or masking.criterion not student, or"
            + " masking.who student)",
        c.masking().keep());
    staleMasks(c);
  }

  private void staleMasks(RunConfig c) {
    RunConfig.Schedule s = c.schedule();
    int stale = s.staleMasks();
    atLeast("schedule.stale-masks", stale, 0);
    if (stale <= 0) {
      return;
    }
    String use = "schedule.stale-masks is " + stale + ", ";
    require(c.distils(), "%swhich needs a teacher, found none", use);
    require(
        c.masking().criterion() == RunConfig.Criterion.STUDENT
            && c.masking().keep() < 1
            && c.masking().keepEnd() < 1,
        "%swhich lets the teachers begin before the student has chosen; masking.criterion is %s and"
            + " masking.keep %s, where nothing waits for the student's choice: expected student and"
            + " less than 1, or stale-masks 0",
        use,
        c.masking().criterion().name().toLowerCase(Locale.ROOT),
        c.masking().keep());
    require(
        c.masking().who() == RunConfig.Who.TEACHER,
        "%swhich chooses the teacher's patches one step before, but masking.who is %s, and the"
            + " student's own must be those of its weights: expected masking.who teacher, or"
            + " stale-masks 0",
        use,
        c.masking().who().name().toLowerCase(Locale.ROOT));
    require(
        s.order() == Order.EAGER || s.order() == Order.FILL_DRAIN,
        "%swhich needs schedule.order eager or fill-drain, where teachers follow the forwards at"
            + " once, found %s",
        use,
        s.order().text());
    require(
        !s.microBatches().isAuto(),
        "%swhich needs schedule.micro-batches as a number or sizes, found auto: it would make the"
            + " first ones large, and with them the share of stale masks",
        use);
    int count = s.microBatches().isAuto() ? stale : Planner.sizes(s).size();
    require(stale <= count, "%sexpected at most the %s micro-batches of a step", use, count);
  }

  private void rest(RunConfig c) {
    atLeast("evaluation.every-epochs", c.evaluation().everyEpochs(), 0);
    atLeast("evaluation.batch", c.evaluation().batch(), 1);
    atLeast("evaluation.images", c.evaluation().images(), 0);
    atLeast("evaluation.teacher-check-images", c.evaluation().teacherCheckImages(), 0);
    atLeast("checkpoint.every-steps", c.checkpoint().everySteps(), 0);
    atLeast("timeline.steps", c.timeline().steps(), 0);
    require(
        c.report().images() >= 0 && c.report().images() <= RunConfig.Report.MOST_IMAGES,
        "report.images is %s, expected 0 to %s",
        c.report().images(),
        RunConfig.Report.MOST_IMAGES);
    atLeast("checkpoint.keep", c.checkpoint().keep(), 1);
  }

  private void tls(RunConfig c) {
    try {
      TlsFiles.of(c.tls().certificate(), c.tls().key(), c.tls().authority());
    } catch (RunException e) {
      broken().add(String.valueOf(e.getMessage()));
    }
  }
}
