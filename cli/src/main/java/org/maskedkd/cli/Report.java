package org.maskedkd.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/** The file {@code report.html} of a run directory or of a folder of run directories. */
final class Report {
  private static final String FILE = "report.html";

  private Report() {}

  /**
   * Writes it; whoever reads it meanwhile sees the old one or the new one.
   *
   * @param out where to, null for {@code report.html} in the directory
   * @return the file
   * @throws RunException (usage) when there is no run in the directory, (cannot write) when the
   *     file cannot be written
   */
  static Path write(Path directory, @Nullable Path out) {
    String page = page(directory);
    Path file = out == null ? directory.resolve(FILE) : out;
    Path aside = file.resolveSibling(file.getFileName() + ".new");
    try {
      Files.writeString(aside, page);
      Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new RunException(ExitCode.CANNOT_WRITE, "cannot write " + file + ": " + e, e);
    }
    return file;
  }

  /** Whether there is a run to report in the directory. */
  static boolean isPossible(Path directory) {
    return RunFiles.isRun(directory) || !runs(directory).isEmpty();
  }

  private static String page(Path directory) {
    if (RunFiles.isRun(directory)) {
      return RunReport.of(RunFiles.read(directory));
    }
    List<Path> runs = runs(directory);
    if (runs.isEmpty()) {
      throw new RunException(
          ExitCode.USAGE,
          directory
              + " holds nothing to report: expected a run directory, with config.yaml in it, or a"
              + " folder of such");
    }
    return GridReport.of(directory, runs.stream().map(RunFiles::read).toList());
  }

  private static List<Path> runs(Path directory) {
    if (!Files.isDirectory(directory)) {
      throw new RunException(ExitCode.USAGE, "there is no directory " + directory);
    }
    try (Stream<Path> all = Files.list(directory)) {
      return all.filter(RunFiles::isRun).sorted().toList();
    } catch (IOException e) {
      throw new RunException(ExitCode.BAD_DATA, "cannot list " + directory + ": " + e, e);
    }
  }
}
