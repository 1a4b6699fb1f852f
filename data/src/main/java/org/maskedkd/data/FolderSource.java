package org.maskedkd.data;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A folder of class folders. Files are listed once, at the start. */
final class FolderSource implements ImageSource {
  private final Listing<Path> listing;
  private final Decoder decoder;

  private FolderSource(Listing<Path> listing, Decoder decoder) {
    this.listing = listing;
    this.decoder = decoder;
  }

  static FolderSource open(Path root, Decoder decoder) {
    if (!Files.isDirectory(root)) {
      throw new DataException(
          Files.exists(root)
              ? root + " is neither a folder nor a .tar, .tar.gz or .tgz file"
              : root + " does not exist; expected a folder with one folder per class there");
    }
    Listing.Builder<Path> builder = new Listing.Builder<>(root.toString());
    try (DirectoryStream<Path> top = Files.newDirectoryStream(root)) {
      for (Path path : top) {
        String name = path.getFileName().toString();
        if (Listing.isHidden(name) || !Files.isDirectory(path)) {
          builder.ignore(name);
        } else {
          builder.classFolder(name);
          listClass(path, name, builder);
        }
      }
    } catch (IOException e) {
      throw new DataException("cannot list " + root + ": " + e, e);
    }
    return new FolderSource(builder.build(), decoder);
  }

  private static void listClass(Path folder, String className, Listing.Builder<Path> builder)
      throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path path : files) {
        String name = path.getFileName().toString();
        if (Listing.isHidden(name)) {
          builder.ignore(className + "/" + name);
        } else if (Files.isDirectory(path)) {
          builder.deeper(className);
        } else if (Listing.isImage(name)) {
          builder.image(className, name, Files.size(path), path);
        } else {
          builder.ignore(className + "/" + name);
        }
      }
    }
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
    Path path = listing.get(index).place();
    byte[] file;
    try {
      file = Files.readAllBytes(path);
    } catch (IOException e) {
      throw new DataException("cannot read " + path + ": " + e, e);
    }
    return decoder.decode(file, path.toString());
  }

  @Override
  public void close() {}
}
