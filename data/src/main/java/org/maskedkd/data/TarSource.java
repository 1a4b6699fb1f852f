package org.maskedkd.data;

import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.jspecify.annotations.Nullable;

/**
 * A tar archive of class folders. A plain one is indexed and read by position, so its size does not
 * matter; a compressed one is read through once and its images are held, as they are, in memory.
 */
final class TarSource implements ImageSource {
  /** About what is held of an entry beside its name and its content. */
  private static final int ENTRY_BYTES = 200;

  private sealed interface Place {}

  private record InFile(long position) implements Place {}

  private record InMemory(byte[] file) implements Place {}

  private final Path archive;
  private final Listing<Place> listing;
  private final Decoder decoder;
  private final @Nullable FileChannel channel;

  private TarSource(
      Path archive, Listing<Place> listing, Decoder decoder, @Nullable FileChannel channel) {
    this.archive = archive;
    this.listing = listing;
    this.decoder = decoder;
    this.channel = channel;
  }

  static TarSource index(Path archive, String folder, Decoder decoder) {
    TarEntries<Place> entries = new TarEntries<>(archive, folder);
    try (TarWalk tar = new TarWalk(archive)) {
      for (TarArchiveEntry next; (next = tar.next()) != null; ) {
        TarArchiveEntry entry = next;
        entries.take(entry, size -> new InFile(entry.getDataOffset()));
      }
    } catch (IOException e) {
      throw broken(archive, e);
    }
    Listing<Place> listing = entries.build();
    try {
      FileChannel channel = FileChannel.open(archive, StandardOpenOption.READ);
      return new TarSource(archive, listing, decoder, channel);
    } catch (IOException e) {
      throw new DataException("cannot read " + archive + ": " + e, e);
    }
  }

  static TarSource load(Path archive, String folder, Decoder decoder, long memoryLimitBytes) {
    TarEntries<Place> entries = new TarEntries<>(archive, folder);
    MemoryLimit memory = new MemoryLimit(archive, memoryLimitBytes);
    try (TarWalk tar = new TarWalk(archive)) {
      for (TarArchiveEntry next; (next = tar.next()) != null; ) {
        TarArchiveEntry entry = next;
        // Headers alone, when compressed, take next to nothing on the disk.
        memory.take(ENTRY_BYTES + entry.getName().length());
        entries.take(
            entry,
            size -> {
              memory.take(size);
              return new InMemory(tar.read(entry));
            });
      }
    } catch (IOException e) {
      throw broken(archive, e);
    }
    return new TarSource(archive, entries.build(), decoder, null);
  }

  static DataException broken(Path archive, Exception cause) {
    return new DataException(
        archive + " is no complete tar archive (" + cause.getMessage() + "); fetch it again",
        cause);
  }

  @Override
  public int size() {
    return listing.size();
  }

  @Override
  public List<String> classes() {
    return listing.classes();
  }

  @Override
  public int label(int index) {
    return listing.get(index).label();
  }

  @Override
  public String name(int index) {
    return listing.get(index).name();
  }

  @Override
  public long bytes(int index) {
    return listing.get(index).bytes();
  }

  @Override
  public Image decode(int index) {
    Listing.Entry<Place> entry = listing.get(index);
    String name = archive + "!" + entry.name();
    Place place = entry.place();
    byte[] file =
        place instanceof InMemory inMemory
            ? inMemory.file
            : read((InFile) place, Math.toIntExact(entry.bytes()), name);
    return decoder.decode(file, name);
  }

  private byte[] read(InFile place, int size, String name) {
    if (channel == null) {
      throw new IllegalStateException("an archive held in memory has no channel");
    }
    try {
      return ByPosition.read(channel, place.position, size);
    } catch (EOFException e) {
      throw new CorruptImageException(name, String.valueOf(e.getMessage()), e);
    } catch (IOException e) {
      throw new DataException("cannot read " + name + ": " + e, e);
    }
  }

  @Override
  public void close() {
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      throw new DataException("cannot close " + archive + ": " + e, e);
    }
  }
}
