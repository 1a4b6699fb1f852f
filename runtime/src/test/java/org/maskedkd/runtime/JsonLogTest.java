package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

class JsonLogTest {
  private static final Logger log = LoggerFactory.getLogger(JsonLogTest.class);

  private final StandardError error = new StandardError("student", LogFormat.JSON);
  @TempDir private Path folder;

  @AfterEach
  void restore() {
    LogContext.run(null);
    error.close();
  }

  private JsonNode only() {
    assertThat(error.events()).hasSize(1);
    return error.events().get(0);
  }

  @Test
  void info_outsideOfARun_hasTheFieldsInOrderAndNoRun() {
    log.info("serving on {}", 9090);

    JsonNode event = only();
    assertThat(event.properties())
        .extracting(Map.Entry::getKey)
        .containsExactly("time", "level", "process", "thread", "logger", "message");
    assertThat(event.get("time").asText()).matches("\\d{4}-\\d\\d-\\d\\dT[0-9:]{8}\\.\\d{3}Z");
    assertThat(Instant.parse(event.get("time").asText())).isAfter(Instant.EPOCH);
    assertThat(event.get("level").asText()).isEqualTo("INFO");
    assertThat(event.get("process").asText()).isEqualTo("student");
    assertThat(event.get("thread").asText()).isEqualTo(Thread.currentThread().getName());
    assertThat(event.get("logger").asText()).isEqualTo(JsonLogTest.class.getName());
    assertThat(event.get("message").asText()).isEqualTo("serving on 9090");
  }

  @Test
  void warn_withAnException_hasItsTraceAsOneString() {
    log.warn("failed", new IllegalStateException("why\nnot", new ArithmeticException("deep")));

    JsonNode failure = only().get("error");
    assertThat(failure.get("class").asText()).isEqualTo("java.lang.IllegalStateException");
    assertThat(failure.get("message").asText()).isEqualTo("why\nnot");
    assertThat(failure.get("stack").asText())
        .contains("\tat org.maskedkd.runtime.JsonLogTest", "Caused by: ", "deep");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "two\nlines\r\nand\ra third",
        "\"quoted\" \\ {\"a\": 1}",
        "\u0000\u0007\u001b[31m\t\u007f\u0085\u2028",
        "Grüße, 蒸馏, \ud83d\ude80"
      })
  void message_anyCharacters_staysOneLineWithTheSameText(String text) {
    log.info("{}", text);

    assertThat(only().get("message").asText()).isEqualTo(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"\ud83d", "a\ude80b", "\ude80\ud83d"})
  void message_halfOfASurrogatePair_isReplaced(String text) {
    log.info("{}", text);

    assertThat(only().get("message").asText()).isEqualTo(text.replaceAll("\ud83d|\ude80", "?"));
  }

  @Test
  void keyValues_ofSeveralTypes_areFieldsThatGoBeforeTheProcessesOwn() {
    LogContext.run("r");
    LogContext.step(4);
    log.atInfo()
        .addKeyValue("step", 3L)
        .addKeyValue("loss", 0.5)
        .addKeyValue("bad", Double.NaN)
        .addKeyValue("best", true)
        .addKeyValue("none", (Object) null)
        .addKeyValue("path", Path.of("a\nb"))
        .log("a {} b");

    JsonNode event = only();
    assertThat(event.get("run").asText()).isEqualTo("r");
    assertThat(event.get("step").isIntegralNumber()).isTrue();
    assertThat(event.get("step").asLong()).isEqualTo(3);
    assertThat(event.get("loss").asDouble()).isEqualTo(0.5);
    assertThat(event.get("bad").asText()).isEqualTo("NaN");
    assertThat(event.get("best").isBoolean()).isTrue();
    assertThat(event.get("none").isNull()).isTrue();
    assertThat(event.get("path").asText()).isEqualTo("a\nb");
    assertThat(event.get("message").asText()).isEqualTo("a {} b");
  }

  @Test
  void context_ofProcessAndThread_theThreadsGoesBeforeAndEnds() throws Exception {
    LogContext.run("ours");
    LogContext.step(7);
    try (LogContext.Scope of = LogContext.of("theirs\n", 2)) {
      log.info("1");
      Thread other = new Thread(() -> log.info("2"));
      other.start();
      other.join();
    }
    try (LogContext.Scope of = LogContext.of("another")) {
      log.info("3");
    }
    try (LogContext.Scope of = LogContext.of("", 0)) {
      log.info("4");
    }
    LogContext.run("next");
    log.info("5");

    assertThat(error.events())
        .extracting(
            event -> event.path("run").asText("none") + " " + event.path("step").asText("none"))
        .containsExactly("theirs? 2", "ours 7", "another none", "ours 7", "next none");
  }

  @Test
  void context_scopeWithinAScope_endsWithTheOuterOne() {
    LogContext.run("ours");
    try (LogContext.Scope outer = LogContext.of("outer", 2)) {
      try (LogContext.Scope inner = LogContext.of("inner")) {
        log.info("1");
      }
      log.info("2");
    }
    log.info("3");

    assertThat(error.events())
        .extracting(
            event -> event.path("run").asText("none") + " " + event.path("step").asText("none"))
        .containsExactly("inner none", "outer 2", "ours none");
  }

  @Test
  void toFile_json_isTheSameWithDebug() throws Exception {
    Path file = folder.resolve("student.log");
    Logging.toFile(file);
    log.debug("detail");
    log.info("said");

    assertThat(Files.readAllLines(file))
        .map(line -> StandardError.json(line).get("message").asText())
        .containsExactly("detail", "said");
    assertThat(only().get("message").asText()).isEqualTo("said");
  }

  @Test
  void thread_thatFails_isAnEvent() throws Exception {
    Thread thread =
        new Thread(
            () -> {
              throw new IllegalStateException("no");
            },
            "worker");
    thread.start();
    thread.join();

    JsonNode event = only();
    assertThat(event.get("message").asText()).isEqualTo("thread worker failed");
    assertThat(event.get("error").get("message").asText()).isEqualTo("no");
  }

  @Test
  void listening_inJson_isForTheParentAloneOrAnEvent() {
    PrintStream standardOutput = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, /* autoFlush= */ true, StandardCharsets.UTF_8));
    try {
      Logging.listening("127.0.0.1:1", /* toParent= */ true);
      assertThat(printed.toString(StandardCharsets.UTF_8).strip())
          .isEqualTo("listening 127.0.0.1:1");
      assertThat(error.lines()).isEmpty();
      printed.reset();
      Logging.listening("127.0.0.1:2", /* toParent= */ false);
      assertThat(printed.size()).isZero();
      assertThat(only().get("message").asText()).isEqualTo("listening 127.0.0.1:2");
    } finally {
      System.setOut(standardOutput);
    }
  }
}
