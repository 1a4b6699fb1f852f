package org.maskedkd.data;

import java.nio.file.Path;
import java.util.List;

/**
 * A fixed list of labelled images. Those of class folders are ordered by class name and then by
 * file name, the same for a folder and for an archive of it; those of files that number their
 * classes stand as in the files. Safe for use by many threads until it is closed.
 */
public interface ImageSource extends AutoCloseable {
  int size();

  /** Names of the classes; a label is an index into them. Those of class folders are sorted. */
  List<String> classes();

  int label(int index);

  /**
   * Which of the files that hold the images this one is in, from 0 on, never falling from one image
   * to the next; 0 for all where it does not matter in what order they are read.
   */
  default int shard(int index) {
    return 0;
  }

  /** {@code class/file}. */
  String name(int index);

  /** Size of the file in bytes; of the picture where there is no file. */
  long bytes(int index);

  /**
   * @throws CorruptImageException when the image is damaged and {@link OnCorrupt#FAIL} holds
   * @throws DataException when it cannot be read
   */
  Image decode(int index);

  /**
   * SHA-256 over names and sizes (of generated images also over what generates them), hexadecimal.
   */
  default String fingerprint() {
    return Digests.of(this);
  }

  /** Images that others stood in for so far, see {@link OnCorrupt#SKIP}. */
  default long skipped() {
    return 0;
  }

  @Override
  void close();

  /** Whether a file of this name is taken for an image, by its ending. */
  static boolean isImage(String fileName) {
    return Listing.isImage(fileName);
  }

  /** Opens with the defaults of {@link SourceOptions}. */
  static ImageSource open(String spec, Path dataRoot) {
    return open(spec, dataRoot, SourceOptions.defaults());
  }

  /**
   * Opens a set of images. {@code spec} is one of
   *
   * <ul>
   *   <li>a folder of class folders, relative to {@code dataRoot} or absolute inside it,
   *   <li>a {@code .tar}, {@code .tar.gz} or {@code .tgz} file of one, with {@code !folder} behind
   *       it when the class folders stand inside a folder of the archive ({@code
   *       cifar10.tar.gz!train}),
   *   <li>{@code cifar:PATH!train} or {@code !test}, see {@link Cifar},
   *   <li>{@code idx:PATH}, the file of images, see {@link Idx},
   *   <li>{@code shards:PATTERN}, see {@link ShardPattern} and {@link ShardReader},
   *   <li>{@code generated:classes=8,images=4000,size=32,patch=4,seed=1,split=train}, see {@link
   *       GeneratedImages}.
   * </ul>
   *
   * Of folders only images directly in a class folder count; hidden files and files of other kinds
   * are ignored and counted in the log.
   *
   * @throws DataException when there is no such set, it leaves {@code dataRoot}, or a class has no
   *     images
   */
  static ImageSource open(String spec, Path dataRoot, SourceOptions options) {
    ImageSource source = Sources.open(spec, dataRoot, options);
    return options.onCorrupt() == OnCorrupt.SKIP ? new SkippingSource(source) : source;
  }

  /**
   * Checks that a model trained on one set can be evaluated on the other.
   *
   * @throws DataException when their classes differ
   */
  static void requireSameClasses(ImageSource train, ImageSource eval) {
    Sources.requireSameClasses(train.classes(), eval.classes());
  }
}
