package org.maskedkd.student;

import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.AttentionMaps;
import org.maskedkd.proto.v1.Blocks;
import org.maskedkd.proto.v1.Features;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.Manifold;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.vit.FeatureLayers;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.VitConfig;

/**
 * What the student compares of itself with its teacher beyond the logits, of which the coordinator
 * knows: inner tokens (manifold distillation) and attention, matched by the patches' places.
 *
 * @param separateHeads whether a distilled student's heads have losses of their own
 * @param manifold its weights; of weight 0 if it is not learned
 * @param attention its weight; of weight 0 if it is not learned
 */
record Objective(
    boolean separateHeads,
    Manifold manifold,
    BlockPairs manifoldPairs,
    AttentionMaps attention,
    BlockPairs attentionPairs,
    int teacherWidth) {

  private static final int MOST_BLOCKS = 1000;
  private static final int MOST_WIDTH = 1 << 16;

  /** Logits alone. */
  static final Objective NONE =
      new Objective(
          false,
          Manifold.getDefaultInstance(),
          BlockPairs.NONE,
          AttentionMaps.getDefaultInstance(),
          BlockPairs.NONE,
          0);

  /**
   * The objective of a run.
   *
   * @param model the student, of any number of classes
   * @throws IllegalArgumentException saying why the models do not allow it
   */
  static Objective of(OpenStudent spec, ModelConfig model) {
    org.maskedkd.proto.v1.Objective asked = spec.getObjective();
    Manifold manifold = asked.getManifold();
    AttentionMaps attention = asked.getAttention();
    require(
        !asked.getSeparateHeads() || (model instanceof VitConfig vit && vit.distilled()),
        "distillation.heads is separate, which needs a student with a distillation token and a head"
            + " for it, found %s",
        model.canonical());
    if (manifold.getWeight() == 0 && attention.getWeight() == 0) {
      return new Objective(
          asked.getSeparateHeads(), manifold, BlockPairs.NONE, attention, BlockPairs.NONE, 0);
    }
    if (!(model instanceof VitConfig student)) {
      throw new IllegalArgumentException(
          "distillation.manifold and distillation.attention compare blocks that have a token for each"
              + " patch, found "
              + model.canonical());
    }
    require(
        spec.hasTeacherBlocks() && spec.hasTeacherGrid(),
        "distillation.manifold and distillation.attention compare the student with a teacher, found"
            + " none");
    require(
        !spec.getStudent().getHeadOnly(),
        "student.train is head, so that the features stay as they are: expected"
            + " distillation.manifold.weight and distillation.attention.weight 0");
    require(
        spec.getMasking().getWhoValue() <= Masking.Who.WHO_TEACHER_VALUE,
        "distillation.manifold and distillation.attention pick the student's patches where the teacher"
            + " has some: expected masking.who teacher, found %s",
        spec.getMasking().getWho());
    Grid grid = spec.getTeacherGrid();
    int rows = grid.getImageHeight() / grid.getPatch();
    int columns = grid.getImageWidth() / grid.getPatch();
    require(
        rows == student.gridRows() && columns == student.gridColumns(),
        "distillation.manifold and distillation.attention compare patches of the same places:"
            + " expected a teacher with the student's grid of %dx%d patches, found %dx%d",
        student.gridRows(),
        student.gridColumns(),
        rows,
        columns);
    Blocks teacher = spec.getTeacherBlocks();
    require(
        teacher.getCount() >= 1
            && teacher.getCount() <= MOST_BLOCKS
            && teacher.getWidth() >= 1
            && teacher.getWidth() <= MOST_WIDTH,
        "the teacher's blocks: expected 1 to %d of width 1 to %d, found %d of width %d",
        MOST_BLOCKS,
        MOST_WIDTH,
        teacher.getCount(),
        teacher.getWidth());
    return new Objective(
        asked.getSeparateHeads(),
        manifold,
        manifold(manifold, student, teacher),
        attention,
        attention(attention, student, teacher),
        teacher.getWidth());
  }

  private static BlockPairs manifold(Manifold manifold, VitConfig student, Blocks teacher) {
    if (manifold.getWeight() == 0) {
      return BlockPairs.NONE;
    }
    String key = "distillation.manifold";
    require(
        manifold.getWeight() > 0,
        "%s.weight is %s, expected at least 0",
        key,
        manifold.getWeight());
    double least =
        Math.min(manifold.getPatch(), Math.min(manifold.getSample(), manifold.getRandom()));
    require(
        least >= 0
            && manifold.getPatch() + manifold.getSample() + manifold.getRandom() > 0
            && manifold.getRows() >= 1
            && manifold.getGroup() >= 1,
        "%s has the weights %s, %s and %s of its parts, %d rows and groups of %d: expected weights"
            + " of at least 0, one of them more, and at least 1 of the others",
        key,
        manifold.getPatch(),
        manifold.getSample(),
        manifold.getRandom(),
        manifold.getRows(),
        manifold.getGroup());
    return manifold.getStudentBlocksCount() + manifold.getTeacherBlocksCount() == 0
        ? BlockPairs.ends(student.depth(), teacher.getCount())
        : BlockPairs.of(
            key,
            manifold.getStudentBlocksList(),
            manifold.getTeacherBlocksList(),
            student.depth(),
            teacher.getCount());
  }

  private static BlockPairs attention(AttentionMaps maps, VitConfig student, Blocks teacher) {
    if (maps.getWeight() == 0) {
      return BlockPairs.NONE;
    }
    String key = "distillation.attention";
    require(maps.getWeight() > 0, "%s.weight is %s, expected at least 0", key, maps.getWeight());
    require(
        !student.attendsByClass() && teacher.getClassToken(),
        "%s compares where the class tokens look in each block, and the class token of %s enters"
            + " after the blocks (CaiT)",
        key,
        teacher.getClassToken() ? "the student" : "the teacher");
    return maps.getStudentBlocksCount() + maps.getTeacherBlocksCount() == 0
        ? BlockPairs.all(student.depth(), teacher.getCount())
        : BlockPairs.of(
            key,
            maps.getStudentBlocksList(),
            maps.getTeacherBlocksList(),
            student.depth(),
            teacher.getCount());
  }

  /** What the student's forward has to give. */
  FeatureLayers ofStudent() {
    return new FeatureLayers(manifoldPairs.ofStudent(), attentionPairs.ofStudent());
  }

  /** What the teachers have to give. */
  Features ofTeacher() {
    return Features.newBuilder()
        .addAllTokens(manifoldPairs.ofTeacher())
        .addAllAttention(attentionPairs.ofTeacher())
        .build();
  }

  /** Whether features of the teachers are needed. */
  boolean comparesFeatures() {
    return manifoldPairs.count() + attentionPairs.count() > 0;
  }

  /** Whether micro-batches may end after so many samples of the batch: not within a group. */
  boolean mayEndAt(int samples) {
    boolean grouped = manifoldPairs.count() > 0 && relatesSamples();
    return !grouped || samples % manifold.getGroup() == 0;
  }

  private boolean relatesSamples() {
    return manifold.getSample() > 0 || manifold.getRandom() > 0;
  }

  /** Bytes of the teachers' features of one image. */
  long bytesPerImage(int patches) {
    long tokens = (long) manifoldPairs.ofTeacher().size() * teacherWidth;
    return Float.BYTES * patches * (tokens + attentionPairs.ofTeacher().size());
  }

  private static void require(boolean holds, String message, @Nullable Object... values) {
    if (!holds) {
      throw new IllegalArgumentException(message.formatted(values));
    }
  }
}
