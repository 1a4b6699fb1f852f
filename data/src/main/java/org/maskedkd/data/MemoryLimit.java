package org.maskedkd.data;

import java.nio.file.Path;

/** How much of a compressed file may still be held in memory. Of one thread. */
final class MemoryLimit {
  private final Path file;
  private final long bytes;
  private long left;

  MemoryLimit(Path file, long bytes) {
    this.file = file;
    this.bytes = bytes;
    this.left = bytes;
  }

  /**
   * @throws DataException when this is more than is left
   */
  void take(long more) {
    left -= more;
    if (left < 0) {
      throw new DataException(
          "the images of %s take more than the %d bytes that may be held in memory; unpack it with gunzip, what is not compressed is read from disk"
              .formatted(file, bytes));
    }
  }
}
