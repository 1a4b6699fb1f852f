package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.AttentionMaps;
import org.maskedkd.proto.v1.Blocks;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.Manifold;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.StudentSpec;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VitConfig;

/** What an objective asks of both models, and what is refused before anything is loaded. */
class ObjectiveTest {
  private static final VitConfig STUDENT =
      ModelZoo.parse("vit:image=16,patch=4,width=16,depth=3,heads=2,classes=4");
  private static final VitConfig DISTILLED =
      ModelZoo.parse("vit:image=16,patch=4,width=16,depth=3,heads=2,classes=4,distilled=true");
  private static final VitConfig CAIT =
      ModelZoo.parse(
          "vit:image=16,patch=4,width=16,depth=3,heads=2,classes=4,layer-scale=true,pos-covers-prefix=false,class-blocks=2");

  private static final Manifold MANIFOLD =
      Manifold.newBuilder().setWeight(1).setPatch(4).setSample(1).setRows(8).setGroup(3).build();
  private static final AttentionMaps ATTENTION = AttentionMaps.newBuilder().setWeight(1).build();

  private static OpenStudent spec(
      UnaryOperator<org.maskedkd.proto.v1.Objective.Builder> objective,
      UnaryOperator<Blocks.Builder> teacher) {
    return OpenStudent.newBuilder()
        .setTeacherGrid(
            Grid.newBuilder().setImageHeight(16).setImageWidth(16).setPatch(4).setChannels(3))
        .setTeacherBlocks(
            teacher.apply(Blocks.newBuilder().setCount(6).setWidth(24).setClassToken(true)))
        .setObjective(objective.apply(org.maskedkd.proto.v1.Objective.newBuilder()))
        .build();
  }

  private static OpenStudent spec(
      UnaryOperator<org.maskedkd.proto.v1.Objective.Builder> objective) {
    return spec(objective, blocks -> blocks);
  }

  @Test
  void of_both_asksTeachersForTheirSideOfThePairs() {
    Objective objective =
        Objective.of(spec(o -> o.setManifold(MANIFOLD).setAttention(ATTENTION)), STUDENT);

    assertThat(objective.ofStudent().tokens()).containsExactly(0, 2);
    assertThat(objective.ofTeacher().getTokensList()).containsExactly(0, 5);
    assertThat(objective.ofStudent().attention()).containsExactly(0, 1, 2);
    assertThat(objective.ofTeacher().getAttentionList()).containsExactly(1, 3, 5);
    // Two blocks of tokens and three of attention, 4 bytes each.
    assertThat(objective.bytesPerImage(8)).isEqualTo(8 * 4 * (2 * 24 + 3));
  }

  @Test
  void mayEndAt_imagesThatAreRelated_notWithinAGroup() {
    Objective related = Objective.of(spec(o -> o.setManifold(MANIFOLD)), STUDENT);
    assertThat(List.of(related.mayEndAt(3), related.mayEndAt(4), related.mayEndAt(6)))
        .containsExactly(true, false, true);

    Manifold within = MANIFOLD.toBuilder().setSample(0).build();
    assertThat(Objective.of(spec(o -> o.setManifold(within)), STUDENT).mayEndAt(4)).isTrue();
    assertThat(Objective.NONE.mayEndAt(4)).isTrue();
  }

  @Test
  void of_separateHeadsOfAStudentWithOne_areRefused() {
    OpenStudent spec = spec(o -> o.setSeparateHeads(true));
    assertThat(Objective.of(spec, DISTILLED).separateHeads()).isTrue();
    assertThatThrownBy(() -> Objective.of(spec, STUDENT))
        .hasMessageContaining("distillation.heads is separate, which needs a student with a");
  }

  @Test
  void of_modelsThatCannotBeCompared_areRefusedWithTheReason() {
    refused(spec(o -> o.setManifold(MANIFOLD)).toBuilder().clearTeacherBlocks(), "found none");
    refused(
        spec(o -> o.setManifold(MANIFOLD)).toBuilder()
            .setStudent(StudentSpec.newBuilder().setHeadOnly(true)),
        "student.train is head");
    refused(
        spec(o -> o.setAttention(ATTENTION)).toBuilder()
            .setTeacherGrid(
                Grid.newBuilder().setImageHeight(24).setImageWidth(16).setPatch(4).setChannels(3)),
        "the student's grid of 4x4 patches, found 6x4");
    refused(
        spec(o -> o.setAttention(ATTENTION), blocks -> blocks.setClassToken(false)).toBuilder(),
        "the class token of the teacher enters after the blocks");
    refused(
        spec(o -> o.setManifold(MANIFOLD.toBuilder().addTeacherBlocks(1))).toBuilder(),
        "as many of both");
    refused(spec(o -> o.setManifold(MANIFOLD.toBuilder().setGroup(0))).toBuilder(), "groups of 0");
    refused(spec(o -> o.setManifold(MANIFOLD.toBuilder().setPatch(-1))).toBuilder(), "at least 0");
    assertThatThrownBy(() -> Objective.of(spec(o -> o.setAttention(ATTENTION)), CAIT))
        .hasMessageContaining("the class token of the student enters after the blocks");
    assertThat(Objective.of(spec(o -> o.setManifold(MANIFOLD)), CAIT).comparesFeatures()).isTrue();
  }

  private static void refused(OpenStudent.Builder spec, String reason) {
    assertThatThrownBy(() -> Objective.of(spec.build(), STUDENT))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(reason);
  }
}
