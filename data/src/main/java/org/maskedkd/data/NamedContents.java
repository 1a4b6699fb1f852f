package org.maskedkd.data;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeMap;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;

/** Files of certain names in a folder, or anywhere in a tar archive. */
final class NamedContents implements AutoCloseable {
  private final Path where;
  private final TreeMap<String, Content> found = new TreeMap<>();

  private NamedContents(Path where) {
    this.where = where;
  }

  /**
   * Opens those that there are.
   *
   * @param where a folder, a {@code .tar}, or a compressed one, of which what is wanted is held in
   *     memory
   * @throws DataException when it cannot be read, or holds two files of one name
   */
  static NamedContents open(Path where, Set<String> wanted, long memoryLimitBytes) {
    NamedContents contents = new NamedContents(where);
    try {
      if (Files.isDirectory(where)) {
        contents.folder(wanted);
      } else {
        contents.archive(wanted, new MemoryLimit(where, memoryLimitBytes));
      }
    } catch (IOException e) {
      contents.close();
      throw Files.isDirectory(where)
          ? new DataException("cannot list " + where + ": " + e, e)
          : TarSource.broken(where, e);
    } catch (DataException e) {
      contents.close();
      throw e;
    }
    return contents;
  }

  private void folder(Set<String> wanted) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(where, Files::isRegularFile)) {
      for (Path file : files) {
        String name = file.getFileName().toString();
        if (wanted.contains(name)) {
          found.put(name, Content.of(file));
        }
      }
    }
  }

  private void archive(Set<String> wanted, MemoryLimit memory) throws IOException {
    boolean plain = Sources.isPlainTar(where.toString());
    try (TarWalk tar = new TarWalk(where)) {
      for (TarArchiveEntry entry; (entry = tar.next()) != null; ) {
        String name = wantedName(entry, wanted);
        if (!name.isEmpty()) {
          found.put(
              name,
              plain
                  ? Content.of(where, entry.getDataOffset(), entry.getSize())
                  : Content.held(new Member(tar, entry), memory));
        }
      }
    }
  }

  private static final class Member implements Content.Reading {
    private final TarWalk tar;
    private final TarArchiveEntry entry;
    private long at;

    private Member(TarWalk tar, TarArchiveEntry entry) {
      this.tar = tar;
      this.entry = entry;
    }

    @Override
    public byte[] next(int most) throws IOException {
      byte[] bytes = tar.read(entry, at, (int) Math.min(most, entry.getSize() - at));
      at += bytes.length;
      return bytes;
    }
  }

  /** Empty for what is not wanted. */
  private String wantedName(TarArchiveEntry entry, Set<String> wanted) {
    String path = entry.getName();
    String name = path.substring(path.lastIndexOf('/') + 1);
    if (!wanted.contains(name) || !TarEntries.isPlainFile(entry)) {
      return "";
    }
    if (found.containsKey(name)) {
      throw new DataException("%s holds %s twice; remove one".formatted(where, name));
    }
    return name;
  }

  boolean has(String name) {
    return found.containsKey(name);
  }

  /** Hands one over: the caller closes it. */
  Content take(String name) {
    Content content = found.remove(name);
    if (content == null) {
      throw new DataException("%s lacks %s; fetch it again".formatted(where, name));
    }
    return content;
  }

  /** Closes what was not taken. */
  @Override
  public void close() {
    found.values().forEach(Content::close);
    found.clear();
  }
}
