package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs whose processes are killed, and runs over a network that does harm. */
class ChaosProcessTest {
  private static final String ALL = "corrupt,cut,delay,duplicate,reorder";

  @TempDir private Path folder;

  private JsonNode chaos(String... arguments) throws JsonProcessingException {
    List<String> all = new ArrayList<>(List.of("bench", "chaos", "--json"));
    all.addAll(List.of(arguments));
    try (MaskedKdProcess bench = MaskedKdProcess.start(folder, all.toArray(String[]::new))) {
      bench.endsWith(0);
      return new ObjectMapper()
          .readTree(bench.said().lines().filter(l -> l.startsWith("{")).findFirst().orElseThrow());
    }
  }

  @Test
  void chaos_everyRoleKilledAndOnePaused_isIdentical() throws JsonProcessingException {
    JsonNode result = chaos("--kills=4", "--pauses=1", "--steps=300", "--seed=5");

    assertThat(result.path("identical").asBoolean()).as(result.toString()).isTrue();
    assertThat(result.path("kills").asInt()).isEqualTo(4);
    assertThat(result.path("kills_in_checkpoints").asInt()).isEqualTo(1);
    assertThat(result.path("pauses").asInt()).isEqualTo(1);
    assertThat(result.path("weights").asText()).matches("[0-9a-f]{64}");
    assertThat(result.path("recovery_seconds").fieldNames())
        .toIterable()
        .containsExactly("student", "teacher", "coordinator");
    // A run that lost no work was not disturbed.
    assertThat(result.path("replayed_steps").asInt()).isPositive();
  }

  @Test
  void chaos_networkThatDoesHarm_isIdentical() throws JsonProcessingException {
    JsonNode result =
        chaos("--kills=0", "--pauses=0", "--steps=200", "--proxy=" + ALL, "--fault-every=1");

    assertThat(result.path("identical").asBoolean()).as(result.toString()).isTrue();
    assertThat(result.path("faults").fieldNames()).toIterable().containsExactly(ALL.split(","));
    assertThat(result.path("faults")).allMatch(count -> count.asInt() > 0);
  }

  @Test
  @Tag("soak")
  void chaos_twentyKills_isIdentical() throws JsonProcessingException {
    JsonNode result = chaos("--kills=20", "--pauses=3");

    assertThat(result.path("identical").asBoolean()).as(result.toString()).isTrue();
    assertThat(result.path("kills").asInt()).isEqualTo(20);
  }

  @Test
  @Tag("soak")
  void chaos_everyFaultOfANetwork_isIdentical() throws JsonProcessingException {
    JsonNode result = chaos("--kills=6", "--pauses=0", "--steps=2000", "--proxy=" + ALL);

    assertThat(result.path("identical").asBoolean()).as(result.toString()).isTrue();
  }
}
