package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Teachers that end because nobody needs them any more. */
@ExtendWith(SharedStages.Extension.class)
class TeacherEndProcessTest {
  @TempDir private Path folder;

  private MaskedKdProcess teacher(String... more) {
    String[] arguments = new String[5 + more.length];
    arguments[0] = "teacher-stage";
    arguments[1] = "--listen=127.0.0.1:0";
    arguments[2] = "--threads=1";
    arguments[3] = "--model=" + TinyRun.TEACHER;
    arguments[4] = "--weights=" + TinyRun.TEACHER_WEIGHTS;
    System.arraycopy(more, 0, arguments, 5, more.length);
    return MaskedKdProcess.start(folder, arguments);
  }

  @Test
  void endTeachers_aRunThatIsDone_endsThoseOfAnAddressAndOfAName(SharedStages stages) {
    try (MaskedKdProcess listed = teacher();
        MaskedKdProcess named = teacher()) {
      TinyRun run =
          stages.run(
              "ended",
              0,
              "--teacher=" + listed.awaitText("listening "),
              "--teacher=dns:" + named.awaitText("listening "),
              "--max-steps=2",
              "--end-teachers");

      run.endsWith(0);
      listed.endsWith(0);
      named.endsWith(0);
    }
  }

  @Test
  void idleSeconds_noRunComes_endsAsAPeerThatStaysAway() {
    try (MaskedKdProcess idle = teacher("--idle-seconds=1")) {
      idle.endsWith(69);
      assertThat(idle.said()).contains("no run was here for 1 s");
    }
  }
}
