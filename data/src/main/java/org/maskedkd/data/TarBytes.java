package org.maskedkd.data;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;

/** What a tar archive consists of, whether it is compressed or not. */
sealed interface TarBytes extends Closeable {
  /** More than any archive has when only reading on will tell. */
  long size();

  /**
   * @param position of a compressed archive not before the end of what was read last
   * @throws EOFException when it ends before
   */
  byte[] read(long position, int count) throws IOException;

  /** Looks whether what follows the last member can be read, too. */
  void end() throws IOException;

  static TarBytes of(Path archive) throws IOException {
    if (Sources.isPlainTar(archive.toString())) {
      FileChannel channel = FileChannel.open(archive, StandardOpenOption.READ);
      return new Plain(channel, channel.size());
    }
    InputStream file = new BufferedInputStream(Files.newInputStream(archive), 1 << 16);
    try {
      InputStream gzip = new GzipCompressorInputStream(file, /* decompressConcatenated= */ true);
      return new Compressed(new BufferedInputStream(gzip, 1 << 16));
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  /** Read where it is wanted. */
  record Plain(FileChannel channel, long size) implements TarBytes {
    @Override
    public byte[] read(long position, int count) throws IOException {
      return ByPosition.read(channel, position, count);
    }

    @Override
    public void end() {}

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }

  /** Read through. */
  final class Compressed implements TarBytes {
    private final InputStream in;
    private long at;

    private Compressed(InputStream in) {
      this.in = in;
    }

    @Override
    public long size() {
      return 1L << 62;
    }

    @Override
    public byte[] read(long position, int count) throws IOException {
      in.skipNBytes(position - at);
      byte[] bytes = new byte[count];
      int read = in.readNBytes(bytes, 0, count);
      at = position + read;
      if (read < count) {
        throw new EOFException("it ends after %d bytes".formatted(at));
      }
      return bytes;
    }

    /** The checksum stands at the end. */
    @Override
    public void end() throws IOException {
      in.transferTo(OutputStream.nullOutputStream());
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }
}
