package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.AttentionRow;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.PatchSelection;
import org.maskedkd.vit.SafetensorsType;
import org.maskedkd.vit.Saliency;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VitConfig;

/** Who chooses which patches. */
class PatchChoiceTest {
  private static final int COUNT = 3;
  private static final int PATCHES = 16;
  private static final double KEEP = 0.5;

  private static final VitConfig STUDENT =
      ModelZoo.parse("vit:image=16,patch=4,width=32,depth=3,heads=2,classes=4");

  private static final Grid GRID =
      Grid.newBuilder().setImageHeight(16).setImageWidth(16).setPatch(4).setChannels(3).build();

  @TempDir private Path folder;

  @BeforeAll
  static void start() {
    Torch.start(1);
  }

  private static ByteBuffer images() {
    byte[] bytes = new byte[COUNT * 3 * 16 * 16];
    new SplittableRandom(4).nextBytes(bytes);
    return ByteBuffer.wrap(bytes);
  }

  private static float[][] scores() {
    SplittableRandom random = new SplittableRandom(5);
    float[][] scores = new float[COUNT][PATCHES];
    for (float[] each : scores) {
      for (int i = 0; i < PATCHES; i++) {
        each[i] = (float) random.nextDouble();
      }
    }
    return scores;
  }

  private static Masking.Builder by(Masking.Criterion criterion) {
    return Masking.newBuilder().setCriterion(criterion);
  }

  private static int[] chosen(Masking masking, @Nullable Guide guide, long step) {
    TeacherView view = new TeacherView(GRID, STUDENT, new PatchChoice(masking, STUDENT, guide, 3));
    return view.choose(new TeacherView.Images(images(), null), COUNT, scores(), KEEP, step, 0)
        .indices();
  }

  private static int[] ofImage(int[] indices, int image) {
    int k = indices.length / COUNT;
    return Arrays.copyOfRange(indices, image * k, (image + 1) * k);
  }

  @Test
  void choose_bottom_isTheOtherHalfOfTop() {
    Masking.Builder student = by(Masking.Criterion.CRITERION_STUDENT);
    int[] top = chosen(student.build(), null, 1);
    int[] bottom = chosen(student.setOrder(Masking.Order.ORDER_BOTTOM).build(), null, 1);
    for (int image = 0; image < COUNT; image++) {
      assertThat(ofImage(top, image)).isEqualTo(PatchSelection.topK(scores()[image], 8));
      assertThat(ofImage(bottom, image)).doesNotContain(ofImage(top, image));
    }
  }

  @Test
  void choose_randomShare_keepsTheBestAndDrawsTheRestAnewInEachStep() {
    Masking half = by(Masking.Criterion.CRITERION_STUDENT).setRandomShare(0.5).build();
    int[] first = chosen(half, null, 1);
    int[] second = chosen(half, null, 2);
    assertThat(first).isNotEqualTo(second);
    for (int image = 0; image < COUNT; image++) {
      int[] best = PatchSelection.topK(scores()[image], 4);
      assertThat(ofImage(first, image)).hasSize(8).contains(best).doesNotHaveDuplicates();
      assertThat(ofImage(second, image)).hasSize(8).contains(best);
    }
    assertThat(chosen(half, null, 1)).isEqualTo(first);
  }

  @Test
  void choose_model_isThatModelsAttentionAndNotTheStudents() throws Exception {
    // Another grid and size than the student's: patches of 8, trained at 32 pixels.
    VitConfig third = ModelZoo.parse("vit:image=32,patch=8,width=32,depth=2,heads=2,classes=7");
    Path weights = folder.resolve("third.safetensors");
    try (VisionTransformer model =
        VisionTransformer.initialised(third, 11, Precision.FP32, VisionTransformer.Mode.FROZEN)) {
      model.save(weights, SafetensorsType.F32, Map.of());
    }
    Masking masking =
        by(Masking.Criterion.CRITERION_MODEL)
            .setModel("auto")
            .setWeights(weights.toString())
            .setLayer(0)
            .build();
    try (Guide guide = Guide.open(masking, STUDENT, Path.of("/"));
        VisionTransformer expected =
            VisionTransformer.adapted(
                third.withImage(16, 16),
                weights,
                0,
                Precision.FP32,
                VisionTransformer.Mode.FROZEN);
        GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      assertThat(guide.notices()).anyMatch(notice -> notice.contains("resampled"));
      float[][] maps =
          new StudentForward(expected, new AttentionRow(AttentionRow.From.CLASS, 0))
              .run(scope, images(), COUNT, null, true)
              .saliency();
      assertThat(maps[0]).hasSize(4);
      int[] chosen = chosen(masking, guide, 1);
      for (int image = 0; image < COUNT; image++) {
        float[] onGrid = Saliency.toGrid(maps[image], 2, 2, 4, 4);
        assertThat(ofImage(chosen, image)).isEqualTo(PatchSelection.topK(onGrid, 8));
      }
    }
  }

  @Test
  void choose_teachersOwnImages_cutsFromThem() {
    Grid grid = GRID.toBuilder().setImageHeight(24).setImageWidth(24).build();
    byte[] large = new byte[COUNT * 3 * 24 * 24];
    new SplittableRandom(8).nextBytes(large);
    TeacherView view =
        new TeacherView(
            grid,
            STUDENT,
            new PatchChoice(by(Masking.Criterion.CRITERION_STUDENT).build(), STUDENT, null, 3));

    TeacherView.Kept kept =
        view.choose(
            new TeacherView.Images(images(), ByteBuffer.wrap(large)), COUNT, scores(), KEEP, 1, 0);

    assertThat(kept.perImage()).isEqualTo(18);
    int patch = kept.indices()[18 + 4];
    // Of the second image's fifth patch: the second channel's third row.
    byte[] row = new byte[4];
    kept.patches().get((18 + 4) * 48 + 16 + 2 * 4, row);
    int from = (3 + 1) * 24 * 24 + (patch / 6 * 4 + 2) * 24 + patch % 6 * 4;
    assertThat(row).isEqualTo(Arrays.copyOfRange(large, from, from + 4));
  }

  @Test
  void needsAttention_onlyWhereTheStudentChooses() {
    for (Masking.Criterion criterion :
        new Masking.Criterion[] {
          Masking.Criterion.CRITERION_STUDENT,
          Masking.Criterion.CRITERION_RANDOM,
          Masking.Criterion.CRITERION_MODEL
        }) {
      TeacherView view =
          new TeacherView(GRID, STUDENT, new PatchChoice(by(criterion).build(), STUDENT, null, 3));
      assertThat(view.needsAttention(KEEP))
          .isEqualTo(criterion == Masking.Criterion.CRITERION_STUDENT);
      assertThat(view.needsAttention(1)).isFalse();
    }
  }
}
