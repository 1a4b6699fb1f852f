package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

class CheckpointStoreTest {
  @TempDir Path root;
  private CheckpointStore store;
  private final List<String> warnings = new ArrayList<>();

  @BeforeEach
  void open() {
    store = new CheckpointStore(root);
  }

  private void write(long step, int keep) throws IOException {
    store.write(
        facts(step),
        directory -> Files.writeString(directory.resolve("student.safetensors"), "step " + step),
        keep);
  }

  private static CheckpointManifest facts(long step) {
    return facts(step, /* best= */ false);
  }

  private static CheckpointManifest facts(long step, boolean best) {
    return new CheckpointManifest(
        step, best, "{\"best\":1}", Map.of("engine", "x"), Map.of("seed", "3"), Map.of());
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(root)) {
      return files.map(path -> path.getFileName().toString()).sorted().toList();
    }
  }

  private long newest(long atMost) {
    return store.newestSound(atMost, warnings::add).map(s -> s.manifest().step()).orElse(0L);
  }

  @Test
  void write_beyondTheNumberToKeep_removesTheOldest() throws IOException {
    for (long step : new long[] {8, 9, 10, 11}) {
      write(step, 2);
    }
    assertThat(names()).containsExactly("step-10", "step-11");
  }

  @Test
  void newestSound_comparesNumbersAndKeepsToTheBound() throws IOException {
    write(9, 5);
    write(10, 5);
    assertThat(newest(0)).isEqualTo(10);
    assertThat(newest(9)).isEqualTo(9);
    assertThat(newest(8)).isZero();
    assertThat(warnings).isEmpty();
  }

  @Test
  void newestSound_flippedByte_passesOverToTheOneBefore() throws IOException {
    write(1, 5);
    write(2, 5);
    Files.writeString(root.resolve("step-2/student.safetensors"), "step 3");
    assertThat(newest(0)).isEqualTo(1);
    assertThat(warnings).singleElement().asString().contains("step-2", "SHA-256");
  }

  @Test
  void newestSound_missingFile_passesOverToTheOneBefore() throws IOException {
    write(1, 5);
    write(2, 5);
    Files.delete(root.resolve("step-2/student.safetensors"));
    assertThat(newest(0)).isEqualTo(1);
    assertThat(warnings).singleElement().asString().contains("lacks student.safetensors");
  }

  @Test
  void newestSound_shortenedFile_tellsBothSizes() throws IOException {
    write(1, 5);
    write(2, 5);
    Files.writeString(root.resolve("step-2/student.safetensors"), "step");
    assertThat(newest(0)).isEqualTo(1);
    assertThat(warnings)
        .singleElement()
        .asString()
        .contains("student.safetensors has 4 bytes, the manifest says 6");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cut manifest",
        "flipped bit of the manifest",
        "no manifest",
        "no seal",
        "cut seal",
        "nothing",
        "other name"
      })
  void newestSound_damagedManifest_passesOverToTheOneBeforeSayingWhy(String damage)
      throws IOException {
    write(1, 5);
    write(2, 5);
    Path newest = root.resolve("step-2");
    Path manifest = newest.resolve("checkpoint.json");
    Path seal = newest.resolve("checkpoint.json.sha256");
    String expected =
        switch (damage) {
          case "cut manifest" -> {
            Files.writeString(manifest, Files.readString(manifest).substring(0, 20));
            yield "checkpoint.json has SHA-256";
          }
          case "flipped bit of the manifest" -> {
            // Still JSON, and of another run.
            Files.writeString(
                manifest,
                Files.readString(manifest).replace("\"seed\" : \"3\"", "\"seed\" : \"2\""));
            yield "checkpoint.json has SHA-256";
          }
          case "no manifest" -> {
            Files.delete(manifest);
            yield "has no checkpoint.json";
          }
          case "no seal" -> {
            Files.delete(seal);
            yield "lacks checkpoint.json.sha256";
          }
          case "cut seal" -> {
            Files.writeString(seal, "");
            yield "checkpoint.json.sha256 says ";
          }
          case "nothing" -> {
            SafeFiles.delete(newest);
            Files.createDirectory(newest);
            yield "has no checkpoint.json";
          }
          case "other name" -> {
            Files.move(newest, root.resolve("step-3"));
            yield "its manifest is of step 2, its name says 3";
          }
          default -> throw new IllegalArgumentException(damage);
        };
    assertThat(newest(0)).isEqualTo(1);
    assertThat(warnings).singleElement().asString().contains("step-").contains(expected);
  }

  @Test
  void write_best_staysUntilABetterOneIsWritten() throws IOException {
    write(1, 2);
    writeBest(2, 2);
    for (long step : new long[] {3, 4, 5}) {
      write(step, 2);
    }
    assertThat(names()).containsExactly("step-2", "step-4", "step-5");
    writeBest(6, 2);
    assertThat(names()).containsExactly("step-5", "step-6");
    for (long step : new long[] {7, 8}) {
      write(step, 1);
    }
    assertThat(names()).containsExactly("step-6", "step-8");
  }

  private void writeBest(long step, int keep) throws IOException {
    store.write(facts(step, /* best= */ true), directory -> {}, keep);
  }

  @Test
  void clean_afterAWriterWasKilled_leavesOnlyWholeCheckpoints() throws IOException {
    write(3, 5);
    write(7, 5);
    // Killed while writing step 9, and before that between the two renames of step 7.
    Files.createDirectory(root.resolve("step-9.partial"));
    Files.writeString(root.resolve("step-9.partial/student.safetensors"), "half");
    Files.move(root.resolve("step-7"), root.resolve("step-7.replaced"));
    assertThat(newest(0)).as("without cleaning").isEqualTo(7);
    store.clean();
    assertThat(names()).containsExactly("step-3", "step-7");
    assertThat(newest(0)).isEqualTo(7);
    assertThat(warnings).isEmpty();
  }

  @Test
  void write_ontoAFullDevice_leavesTheOneBeforeAndSucceedsLater() throws IOException {
    Path full = Path.of("/dev/full");
    assumeThat(full).as("a device that is always full").exists();
    write(1, 1);
    assertThatThrownBy(
            () ->
                store.write(
                    facts(2),
                    directory -> {
                      Files.writeString(directory.resolve("student.safetensors"), "step 2");
                      Path moments = directory.resolve("optimizer.safetensors");
                      Files.createSymbolicLink(moments, full);
                      Files.writeString(moments, "moments");
                    },
                    1))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("No space left on device");
    assertThat(names()).containsExactly("step-1");
    assertThat(newest(0)).isEqualTo(1);
    write(3, 1);
    assertThat(names()).containsExactly("step-3");
  }

  @Test
  void write_thatFails_leavesTheOnesBeforeAndNothingOfItself() throws IOException {
    write(1, 5);
    assertThatThrownBy(
            () ->
                store.write(
                    facts(2),
                    directory -> {
                      Files.writeString(directory.resolve("student.safetensors"), "half");
                      throw new IOException("No space left on device");
                    },
                    1))
        .hasMessageContaining("No space left");
    assertThat(names()).containsExactly("step-1");
    assertThat(newest(0)).isEqualTo(1);
  }

  @Test
  void newestSound_ofALaterFormat_isRefusedNamingBothFormatsAndTheRelease() throws IOException {
    write(4, 5);
    write(5, 5);
    Path manifest = root.resolve("step-5/checkpoint.json");
    // What else a later format holds is unknown, and must not matter.
    Files.writeString(
        manifest, "{\"format\": 99, \"layout\": [], \"provenance\": {\"program\": \"7.0.0\"}}");
    Files.delete(root.resolve("step-5/checkpoint.json.sha256"));
    assertThatThrownBy(() -> newest(0))
        .isInstanceOfSatisfying(
            RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE))
        .hasMessageContaining("format 99")
        .hasMessageContaining("formats 1 to 2")
        .hasMessageContaining("7.0.0");
  }

  @Test
  void write_afterGoingBackBehindADamagedOne_keepsTheSoundOnes() throws IOException {
    write(100, 1);
    write(200, 2);
    Files.writeString(root.resolve("step-200/student.safetensors"), "damaged");
    assertThat(newest(0)).isEqualTo(100);
    write(150, 1);
    assertThat(names()).containsExactly("step-150");
    assertThat(newest(0)).isEqualTo(150);
  }

  @Test
  void newestSound_crashBetweenTheMovesOfARewrite_findsTheOldOne() throws IOException {
    write(7, 1);
    Files.move(root.resolve("step-7"), root.resolve("step-7.replaced"));
    assertThat(newest(0)).isEqualTo(7);
    write(7, 1);
    assertThat(names()).containsExactly("step-7");
  }
}
