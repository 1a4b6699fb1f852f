package org.maskedkd.coordinator;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.AttentionMaps;
import org.maskedkd.proto.v1.DataSpec;
import org.maskedkd.proto.v1.Manifold;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.Objective;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.Optimization;
import org.maskedkd.proto.v1.Precision;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.StudentSpec;
import org.maskedkd.runtime.MessageLimits;

/** The configuration in the form that the stages are told it. */
final class Specs {

  private Specs() {}

  static OpenTeacher teacher(RunConfig config, int maxMicroBatch) {
    return OpenTeacher.newBuilder()
        .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
        .setRun(config.name())
        .setMaxMicroBatch(maxMicroBatch)
        .setMerge(config.teacher().merge())
        .setMaxMessageBytes(MessageLimits.ANSWER_BYTES)
        .build();
  }

  /** Whether the student's heads have losses of their own. */
  static boolean separateHeads(RunConfig config) {
    return config.distils() && config.distillation().heads() == RunConfig.Heads.SEPARATE;
  }

  /**
   * @param teacher null without teachers
   */
  static OpenStudent student(RunConfig config, @Nullable ModelInfo teacher) {
    OpenStudent.Builder open =
        OpenStudent.newBuilder()
            .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
            .setRun(config.name())
            .setStudent(model(config.student()))
            .setData(data(config.data()))
            .setAugmentation(config.augmentation().toMessage())
            .setOptimization(optimization(config))
            .setMasking(masking(config))
            .setSeed(config.seed())
            .setMaxMessageBytes(MessageLimits.ANSWER_BYTES)
            .setBatch(config.schedule().batch());
    if (teacher != null) {
      open.setTeacherGrid(teacher.getGrid())
          .setTeacherImageNative(config.teacher().image() == RunConfig.TeacherImage.NATIVE)
          .setTeacherBlocks(teacher.getBlocks())
          .setObjective(objective(config));
    }
    return open.build();
  }

  private static Objective objective(RunConfig config) {
    RunConfig.Manifold manifold = config.distillation().manifold();
    RunConfig.AttentionMaps attention = config.distillation().attention();
    return Objective.newBuilder()
        .setSeparateHeads(separateHeads(config))
        .setManifold(
            Manifold.newBuilder()
                .setWeight(manifold.weight())
                .setPatch(manifold.patch())
                .setSample(manifold.sample())
                .setRandom(manifold.random())
                .setRows(manifold.rows())
                .setGroup(manifold.group())
                .addAllStudentBlocks(manifold.studentBlocks())
                .addAllTeacherBlocks(manifold.teacherBlocks()))
        .setAttention(
            AttentionMaps.newBuilder()
                .setWeight(attention.weight())
                .addAllStudentBlocks(attention.studentBlocks())
                .addAllTeacherBlocks(attention.teacherBlocks()))
        .build();
  }

  private static Masking masking(RunConfig config) {
    RunConfig.Masking masking = config.masking();
    boolean teachers = masking.criterion() == RunConfig.Criterion.TEACHER;
    return Masking.newBuilder()
        .setWho(
            switch (masking.who()) {
              case TEACHER -> Masking.Who.WHO_TEACHER;
              case STUDENT -> Masking.Who.WHO_STUDENT;
              case BOTH -> Masking.Who.WHO_BOTH;
            })
        .setCriterion(
            switch (masking.criterion()) {
              case STUDENT -> Masking.Criterion.CRITERION_STUDENT;
              case RANDOM -> Masking.Criterion.CRITERION_RANDOM;
              case TEACHER, MODEL -> Masking.Criterion.CRITERION_MODEL;
            })
        .setRow(
            switch (masking.row()) {
              case CLASS -> Masking.Row.ROW_CLASS;
              case PATCHES -> Masking.Row.ROW_PATCHES;
            })
        .setLayer(masking.layer())
        .setOrder(
            switch (masking.order()) {
              case TOP -> Masking.Order.ORDER_TOP;
              case BOTTOM -> Masking.Order.ORDER_BOTTOM;
            })
        .setRandomShare(masking.randomShare())
        .setModel(teachers ? config.teacher().model() : masking.model())
        .setWeights(teachers ? config.teacher().weights() : masking.weights())
        .addAllMean(teachers ? config.teacher().mean() : List.of())
        .addAllStd(teachers ? config.teacher().std() : List.of())
        .build();
  }

  private static StudentSpec model(RunConfig.Student student) {
    return StudentSpec.newBuilder()
        .setModel(student.model())
        .setInit(student.init())
        .setPrecision(
            switch (student.precision()) {
              case FP32 -> Precision.PRECISION_FP32;
              case BF16 -> Precision.PRECISION_BF16;
            })
        .setThreads(student.threads())
        .setDropPath(student.dropPath())
        .setRecompute(student.recompute())
        .setHeadOnly(student.train() == RunConfig.Trained.HEAD)
        .addAllMean(student.mean())
        .addAllStd(student.std())
        .build();
  }

  private static DataSpec data(RunConfig.Data data) {
    return DataSpec.newBuilder()
        .setTrain(data.trainSource())
        .setEval(data.evalSource())
        .setOnCorrupt(
            switch (data.onCorrupt()) {
              case FAIL -> DataSpec.OnCorrupt.ON_CORRUPT_FAIL;
              case SKIP -> DataSpec.OnCorrupt.ON_CORRUPT_SKIP;
            })
        .setWorkers(data.workers())
        .setTrainLimit(data.trainLimit())
        .setShuffleShards(data.shuffleShards())
        .build();
  }

  private static Optimization optimization(RunConfig config) {
    RunConfig.Optimizer o = config.optimizer();
    return Optimization.newBuilder()
        .setBeta1(o.beta1())
        .setBeta2(o.beta2())
        .setEpsilon(o.epsilon())
        .setWeightDecay(o.weightDecay())
        .setClipNorm(o.clipNorm())
        .setLayerDecay(o.layerDecay())
        .setEmaDecay(config.ema().decay())
        .build();
  }
}
