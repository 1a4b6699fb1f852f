package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.maskedkd.data.Batch;
import org.maskedkd.data.Turns;
import org.maskedkd.proto.v1.Augmentation;
import org.maskedkd.proto.v1.DataSpec;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.StudentSpec;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VitConfig;

/** What a teacher of another resolution gets, from the specification on. */
class TeacherImageTest {
  private static final String MODEL = "vit:image=16,patch=4,width=16,depth=1,heads=2,classes=3";
  private static final VitConfig STUDENT = ModelZoo.parse(MODEL);

  @BeforeAll
  static void start() {
    Torch.start(1);
  }

  private static OpenStudent spec(boolean own, int height, int width) {
    String images = "generated:classes=3,images=12,size=48,patch=6,seed=1,split=";
    return OpenStudent.newBuilder()
        .setRun("run")
        .setBatch(6)
        .setStudent(StudentSpec.newBuilder().setModel(MODEL))
        .setData(DataSpec.newBuilder().setTrain(images + "train").setEval(images + "eval"))
        .setAugmentation(
            Augmentation.newBuilder()
                .setCrop(Augmentation.Crop.CROP_CENTER)
                .setScaleMin(1)
                .setScaleMax(1)
                .setRatioMin(1)
                .setRatioMax(1)
                .setEvalCrop(1))
        .setMasking(Masking.newBuilder().setCriterion(Masking.Criterion.CRITERION_RANDOM))
        .setTeacherGrid(
            Grid.newBuilder()
                .setImageHeight(height)
                .setImageWidth(width)
                .setPatch(4)
                .setChannels(3))
        .setTeacherImageNative(own)
        .build();
  }

  @Test
  void open_native_trainingAndProbesHaveTheTeachersImagesAndEvaluationHasNot() throws Exception {
    try (RunData data = RunData.open(spec(true, 24, 24), STUDENT, Path.of("."), Turns.always())) {
      Batch batch = data.take(1);
      assertThat(Objects.requireNonNull(batch.second()).size()).isEqualTo(24);
      TeacherView.Images images = TeacherView.Images.of(batch, 2, 5);
      assertThat(images.students().remaining()).isEqualTo(3 * 3 * 16 * 16);
      assertThat(Objects.requireNonNull(images.teachers()).remaining()).isEqualTo(3 * 3 * 24 * 24);
      try (RunData.EvaluationPass probe = data.evaluationForTeachers(0, 6);
          RunData.EvaluationPass evaluation = data.evaluation(0, 6)) {
        assertThat(probe.iterator().next().second()).isNotNull();
        assertThat(evaluation.iterator().next().second()).isNull();
      }
    }
  }

  @Test
  void open_upsampledOrOfTheStudentsSize_paysForNoSecondImage() {
    assertThat(RunData.second(spec(false, 24, 24), STUDENT)).isZero();
    assertThat(RunData.second(spec(true, 16, 16), STUDENT)).isZero();
  }

  @Test
  void check_nativeAndNotSquare_isRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OpenCheck.check(spec(true, 24, 16), Path.of(".")))
        .withMessageContaining("teacher.image is native")
        .withMessageContaining("24x16");
  }

  @Test
  void check_bothMaskedByChanceOnTwoGrids_isRefused() {
    OpenStudent.Builder spec = spec(false, 24, 24).toBuilder();
    spec.getMaskingBuilder().setWho(Masking.Who.WHO_BOTH);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OpenCheck.check(spec.build(), Path.of(".")))
        .withMessageContaining("4x4 patches, found 6x6");
  }
}
