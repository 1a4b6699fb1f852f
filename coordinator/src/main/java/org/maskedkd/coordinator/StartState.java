package org.maskedkd.coordinator;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * What each start of a run leaves in its directory to know the run again even before, or without, a
 * checkpoint.
 *
 * @param numerics facts about how the student computes
 * @param teacherNumerics the same of the teachers; null where an earlier release wrote it
 */
record StartState(
    CoordinatorState coordinator,
    Map<String, String> numerics,
    @Nullable Map<String, String> teacherNumerics) {

  private static final String FILE = "state.json";

  static void write(
      Path directory, CoordinatorState coordinator, Numerics student, Numerics teachers) {
    StartState state =
        new StartState(
            coordinator,
            new TreeMap<>(student.getFactsMap()),
            new TreeMap<>(teachers.getFactsMap()));
    try {
      JsonLines.replace(directory.resolve(FILE), JsonLines.JSON.writeValueAsString(state) + "\n");
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * The one that the newest start left; null when there is none.
   *
   * @throws RunException with {@link ExitCode#BAD_DATA} when it is damaged
   */
  static @Nullable StartState read(Path directory) {
    Path file = directory.resolve(FILE);
    if (!Files.isRegularFile(file)) {
      return null;
    }
    try {
      return JsonLines.JSON.readValue(Files.readString(file), StartState.class);
    } catch (IOException e) {
      throw new RunException(ExitCode.BAD_DATA, file + " cannot be read: " + e + "; restore it", e);
    }
  }

  Numerics numericsFacts() {
    return Numerics.newBuilder().putAllFacts(numerics).build();
  }

  /** Empty where they are not known. */
  Numerics teacherNumericsFacts() {
    return teacherNumerics == null
        ? Numerics.getDefaultInstance()
        : Numerics.newBuilder().putAllFacts(teacherNumerics).build();
  }
}
