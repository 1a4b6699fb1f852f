package org.maskedkd.coordinator;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.StudentOpened;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/** What must hold between the stages before they may work together. */
final class Handshake {

  private Handshake() {}

  /**
   * What has no effect with these stages.
   *
   * @param teacher null without teachers
   */
  static List<String> notices(RunConfig config, StudentOpened opened, @Nullable ModelInfo teacher) {
    int side = opened.getModel().getGrid().getImageHeight();
    boolean idle =
        config.teacher().image() == RunConfig.TeacherImage.NATIVE
            && teacher != null
            && teacher.getGrid().getImageHeight() == side;
    return idle
        ? List.of(
            "teacher.image: native has no effect, since the teacher's images have the student's "
                + side
                + " pixels a side")
        : List.of();
  }

  /**
   * @param teacher null without teachers
   */
  static void check(
      RunConfig config, String studentName, StudentOpened opened, @Nullable ModelInfo teacher) {
    if (opened.getProtocolVersion() != Protocol.PROTOCOL_VERSION_VALUE) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          studentName
              + " speaks protocol version "
              + opened.getProtocolVersion()
              + ", this coordinator "
              + Protocol.PROTOCOL_VERSION_VALUE
              + "; run the same release everywhere");
    }
    int classes = opened.getModel().getClasses();
    if (classes < 1 || opened.getClassesCount() != classes) {
      throw new RunException(
          ExitCode.BAD_DATA,
          studentName
              + " has a head of "
              + classes
              + " classes for data of "
              + opened.getClassesCount());
    }
    if (opened.getTrainImages() < config.schedule().batch()) {
      throw new RunException(
          ExitCode.USAGE,
          "schedule.batch is "
              + config.schedule().batch()
              + ", but "
              + config.data().trainSource()
              + " has only "
              + opened.getTrainImages()
              + " training images");
    }
    if (teacher != null && teacher.getClasses() != classes) {
      throw new RunException(
          ExitCode.BAD_DATA,
          "the teacher "
              + teacher.getModel()
              + " knows "
              + teacher.getClasses()
              + " classes, but the data in "
              + config.data().trainSource()
              + " has "
              + classes
              + "; the teacher must have been trained on the same classes");
    }
  }
}
