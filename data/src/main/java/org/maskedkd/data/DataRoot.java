package org.maskedkd.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * The folder outside of which nothing is read for a run, whose specification may come from afar.
 */
public final class DataRoot {
  private DataRoot() {}

  /**
   * The path that {@code name} stands for: relative to the root, or absolute inside it. Where links
   * lead is what counts.
   *
   * @throws DataException if it is outside
   */
  public static Path inside(String name, Path dataRoot) {
    Path root = dataRoot.toAbsolutePath().normalize();
    Path path;
    try {
      path = root.resolve(name).normalize();
    } catch (InvalidPathException e) {
      throw new DataException("'" + name + "' is not a path: " + e.getMessage(), e);
    }
    if (!path.startsWith(root)) {
      throw outside(name, root, "");
    }
    if (Files.exists(path) && Files.exists(root)) {
      try {
        if (!path.toRealPath().startsWith(root.toRealPath())) {
          throw outside(name, root, " by a symbolic link");
        }
      } catch (IOException e) {
        throw new DataException("'%s' cannot be read: %s".formatted(name, e), e);
      }
    }
    return path;
  }

  private static DataException outside(String name, Path root, String how) {
    return new DataException(
        "'%s' is outside the data root %s%s; move it there, or start the student with another --data-root"
            .formatted(name, root, how));
  }
}
