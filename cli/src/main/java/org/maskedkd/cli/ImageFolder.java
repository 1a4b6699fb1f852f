package org.maskedkd.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.maskedkd.data.DataException;
import org.maskedkd.data.Decoder;
import org.maskedkd.data.Decoders;
import org.maskedkd.data.Image;
import org.maskedkd.data.ImageSource;
import org.maskedkd.data.JpegLibrary;

/** Images directly in a folder, in the order of their names, without labels: all are of class 0. */
final class ImageFolder implements ImageSource {
  private final List<Path> files;
  private final Decoder decoder = Decoders.of(JpegLibrary.AUTO);

  private ImageFolder(List<Path> files) {
    this.files = files;
  }

  /**
   * A folder of images, or of class folders of images.
   *
   * @throws DataException when it is neither
   */
  static ImageSource open(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new DataException(
          folder
              + " is no folder; expected one with images, or with a folder of images for each class");
    }
    List<Path> files;
    try (Stream<Path> listed = Files.list(folder)) {
      files = listed.filter(ImageFolder::isImage).sorted().toList();
    } catch (IOException e) {
      throw new DataException("cannot list " + folder + ": " + e, e);
    }
    return files.isEmpty()
        ? ImageSource.open(folder.toAbsolutePath().toString(), folder.toAbsolutePath())
        : new ImageFolder(files);
  }

  private static boolean isImage(Path file) {
    String name = file.getFileName().toString();
    return Files.isRegularFile(file) && !name.startsWith(".") && ImageSource.isImage(name);
  }

  @Override
  public int size() {
    return files.size();
  }

  @Override
  public List<String> classes() {
    return List.of("");
  }

  @Override
  public int label(int index) {
    return 0;
  }

  @Override
  public String name(int index) {
    return files.get(index).getFileName().toString();
  }

  @Override
  public long bytes(int index) {
    try {
      return Files.size(files.get(index));
    } catch (IOException e) {
      throw new DataException("cannot read " + files.get(index) + ": " + e, e);
    }
  }

  @Override
  public Image decode(int index) {
    Path file = files.get(index);
    try {
      return decoder.decode(Files.readAllBytes(file), file.toString());
    } catch (IOException e) {
      throw new DataException("cannot read " + file + ": " + e, e);
    }
  }

  @Override
  public void close() {
    // Nothing stays open between two images.
  }
}
