package org.maskedkd.data;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** Reading from the middle of files. */
final class ByPosition {
  private ByPosition() {}

  /**
   * @throws EOFException when the file ends before
   */
  static byte[] read(FileChannel channel, long position, int count) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(count);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer, position + buffer.position()) < 0) {
        throw new EOFException(
            "the file ends after %d of the %d bytes from %d on"
                .formatted(buffer.position(), count, position));
      }
    }
    return buffer.array();
  }
}
