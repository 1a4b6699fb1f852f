package org.maskedkd.runtime;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Addresses for stages that are started on this machine: socket files in a folder that only this
 * user can enter, or ports of loopback where there are no socket files. Closing removes the folder.
 */
public final class LocalAddresses implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(LocalAddresses.class);

  /** The longest name of a stage that is counted on. */
  private static final String LONGEST = "teacher-9999.sock";

  private final @Nullable Path folder;

  private LocalAddresses(@Nullable Path folder) {
    this.folder = folder;
  }

  /** The ones that suit this machine. */
  public static LocalAddresses create() {
    return in(Path.of(System.getProperty("java.io.tmpdir")), Transport.hasSocketFiles());
  }

  /** Free ports of loopback, also where there are socket files. */
  public static LocalAddresses ports() {
    return new LocalAddresses(null);
  }

  /**
   * @param parent gets the folder
   */
  static LocalAddresses in(Path parent, boolean socketFiles) {
    if (!socketFiles) {
      return new LocalAddresses(null);
    }
    try {
      // Readable, writable and passable for this user alone.
      Path folder = Files.createTempDirectory(parent, "maskedkd-").toAbsolutePath().normalize();
      if (SocketFile.fits(folder.resolve(LONGEST))) {
        return new LocalAddresses(folder);
      }
      log.debug("{} is too long a path for socket files", folder);
      Files.delete(folder);
    } catch (IOException e) {
      log.debug("no folder for socket files, stages listen on loopback", e);
    }
    return new LocalAddresses(null);
  }

  /**
   * Where a stage is to listen.
   *
   * @param stage its name, of letters, digits and dashes; no two are alike
   */
  public String of(String stage) {
    return folder == null
        ? "127.0.0.1:0"
        : new SocketFile(folder.resolve(stage + ".sock")).toString();
  }

  @Override
  public void close() {
    if (folder == null) {
      return;
    }
    try (Stream<Path> left = Files.list(folder)) {
      // A stage removes its own; one that was killed could not.
      for (Path file : (Iterable<Path>) left::iterator) {
        Files.deleteIfExists(file);
      }
      Files.deleteIfExists(folder);
    } catch (IOException | UncheckedIOException e) {
      log.warn("cannot remove the folder of socket files {}: {}", folder, e.toString());
    }
  }
}
