package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.StudentSpec;

/** What a specification is refused for before anything is made of it. */
class OpenCheckTest {
  private static OpenStudent swin(Masking.Builder masking) {
    return OpenStudent.newBuilder()
        .setRun("run")
        .setBatch(4)
        .setStudent(
            StudentSpec.newBuilder()
                .setModel("swin:image=16,patch=2,width=8,depths=1/2,heads=1/2,window=4,classes=3"))
        .setTeacherGrid(
            Grid.newBuilder().setImageHeight(16).setImageWidth(16).setPatch(4).setChannels(3))
        .setMasking(masking.setCriterion(Masking.Criterion.CRITERION_STUDENT))
        .build();
  }

  @Test
  void check_swinWithAttentionOfAnotherLayerThanTheLast_isRefused() {
    Path root = Path.of("/");
    assertThatThrownBy(() -> OpenCheck.check(swin(Masking.newBuilder().setLayer(0)), root))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("layer 0", "-1 or 2");
    OpenStudent last = swin(Masking.newBuilder().setLayer(-1));
    assertThat(OpenCheck.check(last, root).config().gridRows()).isEqualTo(4);
  }
}
