package org.maskedkd.data;

import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * Bytes that are read in any order: a file's, those of a member of a plain tar, or, of something
 * compressed, those that are held in memory. Safe for use by many threads.
 */
sealed interface Content extends AutoCloseable {
  long size();

  /**
   * @throws EOFException when it ends before
   */
  byte[] read(long position, int count) throws IOException;

  /**
   * @throws DataException when that fails
   */
  @Override
  void close();

  /** A whole file. */
  static Content of(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    return new Part(file, channel, 0, channel.size());
  }

  /** A part of a file. */
  static Content of(Path file, long start, long size) throws IOException {
    return new Part(file, FileChannel.open(file, StandardOpenOption.READ), start, size);
  }

  /** Something that is read through. */
  @FunctionalInterface
  interface Reading {
    /** So many bytes, or fewer at the end. */
    byte[] next(int most) throws IOException;
  }

  /** All that there is to read. */
  static Content held(Reading in, MemoryLimit memory) throws IOException {
    List<byte[]> blocks = new ArrayList<>();
    long size = 0;
    byte[] block;
    do {
      block = in.next(Held.BLOCK);
      memory.take(block.length);
      size += block.length;
      blocks.add(block);
    } while (block.length == Held.BLOCK);
    return new Held(List.copyOf(blocks), size);
  }

  /** Of a file that is open. */
  record Part(Path file, FileChannel channel, long start, long size) implements Content {
    @Override
    public byte[] read(long position, int count) throws IOException {
      if (position > size - count) {
        throw new EOFException("%d bytes at %d of %d".formatted(count, position, size));
      }
      return ByPosition.read(channel, start + position, count);
    }

    @Override
    public void close() {
      try {
        channel.close();
      } catch (IOException e) {
        throw new DataException("cannot close " + file + ": " + e, e);
      }
    }
  }

  /** In blocks, so that no header is believed about how many bytes there will be. */
  record Held(List<byte[]> blocks, long size) implements Content {
    private static final int BLOCK = 1 << 20;

    @Override
    public byte[] read(long position, int count) throws IOException {
      if (position > size - count) {
        throw new EOFException("%d bytes at %d of %d".formatted(count, position, size));
      }
      byte[] bytes = new byte[count];
      for (int done = 0; done < count; ) {
        byte[] block = blocks.get((int) ((position + done) / BLOCK));
        int from = (int) ((position + done) % BLOCK);
        int length = Math.min(count - done, block.length - from);
        System.arraycopy(block, from, bytes, done, length);
        done += length;
      }
      return bytes;
    }

    @Override
    public void close() {}
  }
}
