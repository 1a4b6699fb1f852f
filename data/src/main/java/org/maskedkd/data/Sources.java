package org.maskedkd.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;

/** Reads the notation of {@link ImageSource#open(String, Path, SourceOptions)}. */
final class Sources {
  private static final List<String> ARCHIVES = List.of(".tar", ".tar.gz", ".tgz");

  private static final String CIFAR = "cifar:";
  private static final String IDX = "idx:";
  private static final String SHARDS = "shards:";

  private Sources() {}

  static ImageSource open(String spec, Path dataRoot, SourceOptions options) {
    if (spec.startsWith(GeneratedSpec.PREFIX)) {
      return new GeneratedImages(GeneratedSpec.parse(spec));
    }
    if (spec.startsWith(CIFAR)) {
      return cifar(spec.substring(CIFAR.length()), dataRoot, options);
    }
    if (spec.startsWith(IDX)) {
      Path images = inside(spec.substring(IDX.length()), dataRoot);
      Path labels = images.resolveSibling(Idx.labelsName(String.valueOf(images.getFileName())));
      return Idx.open(images, inside(labels.toString(), dataRoot), options.memoryLimitBytes());
    }
    if (spec.startsWith(SHARDS)) {
      String pattern = spec.substring(SHARDS.length());
      List<Path> shards = ShardPattern.expand(pattern, dataRoot);
      Path names = shards.get(0).resolveSibling(ShardSource.NAMES);
      return ShardSource.open(shards, inside(names.toString(), dataRoot), options.decoder());
    }
    int mark = spec.lastIndexOf('!');
    if (mark >= 0 && isArchive(spec.substring(0, mark))) {
      Path archive = inside(spec.substring(0, mark), dataRoot);
      return archive(archive, spec.substring(mark + 1), options);
    }
    Path path = inside(spec, dataRoot);
    return isArchive(spec)
        ? archive(path, "", options)
        : FolderSource.open(path, options.decoder());
  }

  private static Path inside(String spec, Path dataRoot) {
    return DataRoot.inside(spec, dataRoot);
  }

  private static ImageSource cifar(String spec, Path dataRoot, SourceOptions options) {
    int mark = spec.lastIndexOf('!');
    String path = mark < 0 ? spec : spec.substring(0, mark);
    Path where = inside(path, dataRoot);
    if (!Files.isDirectory(where) && !(isArchive(path) && Files.isRegularFile(where))) {
      throw new DataException(
          where
              + " is neither a folder nor a .tar, .tar.gz or .tgz file of CIFAR's binary version");
    }
    return Cifar.open(where, spec.substring(mark + 1), options.memoryLimitBytes());
  }

  /** Whether a file of this name is a tar archive that is not compressed. */
  static boolean isPlainTar(String name) {
    return name.toLowerCase(Locale.ROOT).endsWith(".tar");
  }

  private static boolean isArchive(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    return ARCHIVES.stream().anyMatch(lower::endsWith);
  }

  private static ImageSource archive(Path path, String folder, SourceOptions options) {
    if (!Files.isRegularFile(path)) {
      throw new DataException(
          Files.isDirectory(path)
              ? path + " is a folder, though its name is that of an archive; rename it"
              : path + " does not exist; expected a tar archive of class folders there");
    }
    return isPlainTar(path.toString())
        ? TarSource.index(path, folder, options.decoder())
        : TarSource.load(path, folder, options.decoder(), options.memoryLimitBytes());
  }

  static void requireSameClasses(List<String> train, List<String> eval) {
    if (train.equals(eval)) {
      return;
    }
    if (Set.copyOf(train).equals(Set.copyOf(eval))) {
      throw new DataException(
          "training and evaluation images have the same classes in another order (%s and %s first); both need the same kind of source"
              .formatted(train.get(0), eval.get(0)));
    }
    var onlyTrain = new TreeSet<>(train);
    eval.forEach(onlyTrain::remove);
    var onlyEval = new TreeSet<>(eval);
    train.forEach(onlyEval::remove);
    throw new DataException(
        "training images have %d classes, evaluation images %d; only for training: %s; only for evaluation: %s; both need the same class folders"
            .formatted(train.size(), eval.size(), some(onlyTrain), some(onlyEval)));
  }

  private static String some(TreeSet<String> names) {
    List<String> first = names.stream().limit(5).toList();
    if (first.isEmpty()) {
      return "none";
    }
    String more =
        names.size() > first.size() ? " and " + (names.size() - first.size()) + " more" : "";
    return String.join(", ", first) + more;
  }
}
