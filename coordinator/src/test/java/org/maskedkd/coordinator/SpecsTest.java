package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.OpenStudent;

/** What the stages are told of keys that come to nothing else in the coordinator. */
class SpecsTest {
  private static OpenStudent student(String... overrides) {
    return Specs.student(
        House.config(true, overrides), ModelInfo.newBuilder().setGrid(Toy.GRID).build());
  }

  @Test
  void student_teachersImage_isNativeOnlyWhereAskedFor() {
    assertThat(student().getTeacherImageNative()).isFalse();
    assertThat(student("teacher.image=native").getTeacherImageNative()).isTrue();
  }

  @Test
  void student_whoIsMasked_isSaid() {
    assertThat(student().getMasking().getWho()).isEqualTo(Masking.Who.WHO_TEACHER);
    assertThat(student("masking.who=student").getMasking().getWho())
        .isEqualTo(Masking.Who.WHO_STUDENT);
    assertThat(student("masking.who=both").getMasking().getWho()).isEqualTo(Masking.Who.WHO_BOTH);
  }
}
