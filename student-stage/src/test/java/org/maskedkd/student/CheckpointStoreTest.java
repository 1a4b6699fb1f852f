package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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

  private static CheckpointStore.Manifest facts(long step) {
    return new CheckpointStore.Manifest(
        0, step, "{\"best\":1}", Map.of("engine", "x"), Map.of("seed", "3"), Map.of());
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
  void newestSound_cutManifest_passesOverToTheOneBefore() throws IOException {
    write(1, 5);
    write(2, 5);
    Path manifest = root.resolve("step-2/checkpoint.json");
    Files.writeString(manifest, Files.readString(manifest).substring(0, 20));
    assertThat(newest(0)).isEqualTo(1);
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
  void newestSound_ofAnotherFormat_isRefusedAsIncompatible() throws IOException {
    write(4, 5);
    Path manifest = root.resolve("step-4/checkpoint.json");
    Files.writeString(
        manifest, Files.readString(manifest).replace("\"format\" : 1", "\"format\" : 99"));
    assertThatThrownBy(() -> newest(0))
        .isInstanceOfSatisfying(
            RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE))
        .hasMessageContaining("99");
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
