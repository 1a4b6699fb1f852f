package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

class LoggingTest {
  private final PrintStream standardError = System.err;
  private final ByteArrayOutputStream seen = new ByteArrayOutputStream();
  @TempDir Path folder;

  @BeforeEach
  void capture() {
    System.setErr(new PrintStream(seen, /* autoFlush= */ true, StandardCharsets.UTF_8));
    Logging.configure("student", "info", LogFormat.TEXT);
  }

  @AfterEach
  void restore() {
    System.setErr(standardError);
    Logging.configure("", "info", LogFormat.TEXT);
  }

  @Test
  void log_failure_isALineForPeopleAndATraceInTheFile() throws Exception {
    Path file = folder.resolve("logs/student.log");
    Logging.toFile(file);
    LoggerFactory.getLogger(LoggingTest.class)
        .warn("step 3 failed", new IllegalStateException("why"));
    LoggerFactory.getLogger(LoggingTest.class).debug("detail");
    LoggerFactory.getLogger("io.netty.handler").info("noise");
    java.util.logging.Logger.getLogger("io.grpc.netty").warning("from grpc");
    String console = seen.toString(StandardCharsets.UTF_8);
    assertThat(console.lines()).hasSize(2);
    assertThat(console).contains("WARN  student: step 3 failed\n").contains("student: from grpc");
    assertThat(Files.readString(file))
        .contains("IllegalStateException: why", "at org.maskedkd.runtime.LoggingTest", "detail")
        .doesNotContain("noise");
  }

  @Test
  void configure_unknownLevel_isRefused() {
    assertThatThrownBy(() -> Logging.configure("student", "loud", LogFormat.TEXT))
        .isInstanceOf(RunException.class)
        .hasMessageContainingAll("'loud'", "debug");
  }

  @Test
  void toFile_placeThatIsAFile_cannotBeWritten() throws Exception {
    Path inTheWay = Files.writeString(folder.resolve("logs"), "x");
    assertThatThrownBy(() -> Logging.toFile(inTheWay.resolve("student.log")))
        .isInstanceOfSatisfying(
            RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.CANNOT_WRITE));
  }
}
