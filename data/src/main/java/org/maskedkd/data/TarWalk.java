package org.maskedkd.data;

import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveSparseEntry;
import org.apache.commons.compress.archivers.zip.ZipEncoding;
import org.apache.commons.compress.archivers.zip.ZipEncodingHelper;
import org.jspecify.annotations.Nullable;

/**
 * Goes from header to header of a tar archive, past what lies between them. The library's {@code
 * TarFile} would hold all entries at once, its stream would read every byte of a plain archive in
 * order to skip it, and both believe what a header says of its own length.
 */
final class TarWalk implements Closeable {
  private static final int BLOCK = 512;

  /** Far above any name; what a header says of its own length is not to be trusted. */
  private static final int LONGEST_EXTENSION = 1 << 16;

  private static final ZipEncoding UTF_8 = ZipEncodingHelper.getZipEncoding("UTF-8");

  private final TarBytes archive;
  private long position;

  /**
   * @param archive is compressed unless its name ends in {@code .tar}
   */
  TarWalk(Path archive) throws IOException {
    this.archive = TarBytes.of(archive);
  }

  /**
   * The next member, its name and size as long headers before it have them; null behind the last.
   *
   * @throws IOException when this is no tar archive or ends too early
   */
  @Nullable TarArchiveEntry next() throws IOException {
    String longName = "";
    Map<String, String> pax = Map.of();
    while (true) {
      TarArchiveEntry entry = header();
      if (entry == null) {
        archive.end();
        return null;
      }
      if (entry.isPaxHeader()) {
        pax = records(extension(entry));
      } else if (entry.isGNULongNameEntry()) {
        longName = text(extension(entry));
      } else if (!entry.isGNULongLinkEntry() && !entry.isGlobalPaxHeader()) {
        if (!longName.isEmpty()) {
          entry.setName(longName);
        }
        try {
          for (Map.Entry<String, String> record : pax.entrySet()) {
            entry.addPaxHeader(record.getKey(), record.getValue());
          }
        } catch (IllegalArgumentException e) {
          throw new IOException("the header at byte %d is damaged".formatted(position), e);
        }
        pass(entry);
        return entry;
      }
      pass(entry);
    }
  }

  /**
   * The content of a member, which the caller has found small enough. Of a compressed archive only
   * that of the last member, and once.
   */
  byte[] read(TarArchiveEntry entry) throws IOException {
    return read(entry, 0, Math.toIntExact(entry.getSize()));
  }

  /** Likewise a part of it, behind those that were read before. */
  byte[] read(TarArchiveEntry entry, long from, int count) throws IOException {
    return archive.read(entry.getDataOffset() + from, count);
  }

  private @Nullable TarArchiveEntry header() throws IOException {
    byte[] block = block();
    boolean end = true;
    for (byte value : block) {
      end &= value == 0;
    }
    if (end) {
      return null;
    }
    try {
      TarArchiveEntry entry =
          new TarArchiveEntry(block, UTF_8, /* lenient= */ false, position + BLOCK);
      if (!entry.isCheckSumOK()) {
        throw new IOException("at byte %d is no header".formatted(position));
      }
      return entry;
    } catch (IllegalArgumentException e) {
      throw new IOException("the header at byte %d is damaged".formatted(position), e);
    }
  }

  private byte[] block() throws IOException {
    if (position > archive.size() - BLOCK) {
      throw new IOException("it ends at byte %d without an end mark".formatted(archive.size()));
    }
    return archive.read(position, BLOCK);
  }

  private void pass(TarArchiveEntry entry) throws IOException {
    position += BLOCK;
    if (entry.isOldGNUSparse() && entry.isExtended()) {
      boolean more = true;
      while (more) {
        more = new TarArchiveSparseEntry(block()).isExtended();
        position += BLOCK;
      }
    }
    long bytes = entry.getSize();
    if (bytes < 0 || bytes > archive.size() - position) {
      throw new IOException(
          "%s is said to have %d bytes at byte %d, but the file ends at %d"
              .formatted(entry.getName(), bytes, position, archive.size()));
    }
    position += (bytes + BLOCK - 1) / BLOCK * BLOCK;
  }

  private byte[] extension(TarArchiveEntry entry) throws IOException {
    if (entry.getSize() < 0 || entry.getSize() > LONGEST_EXTENSION) {
      throw new IOException(
          "the header at byte %d has an extension of %d bytes, more than the %d that are read"
              .formatted(position, entry.getSize(), LONGEST_EXTENSION));
    }
    return read(entry);
  }

  /** Up to the first zero. */
  private static String text(byte[] bytes) {
    String text = new String(bytes, StandardCharsets.UTF_8);
    int end = text.indexOf('\0');
    return end < 0 ? text : text.substring(0, end);
  }

  /** Lines of {@code LENGTH KEY=VALUE}, the length in bytes being that of the whole line. */
  private Map<String, String> records(byte[] bytes) throws IOException {
    Map<String, String> records = new TreeMap<>();
    int start = 0;
    while (start < bytes.length && bytes[start] != 0) {
      int length = 0;
      int at = start;
      while (at < bytes.length && bytes[at] >= '0' && bytes[at] <= '9' && length < bytes.length) {
        length = 10 * length + bytes[at++] - '0';
      }
      if (at >= bytes.length || length <= at + 1 - start || length > bytes.length - start) {
        throw new IOException("the extended header at byte %d is damaged".formatted(position));
      }
      String line = new String(bytes, at + 1, start + length - at - 2, StandardCharsets.UTF_8);
      int equals = line.indexOf('=');
      if (equals < 1) {
        throw new IOException("the extended header at byte %d is damaged".formatted(position));
      }
      records.put(line.substring(0, equals), line.substring(equals + 1));
      start += length;
    }
    return records;
  }

  @Override
  public void close() throws IOException {
    archive.close();
  }
}
