package org.maskedkd.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;

/** Reads the notation of {@link ImageSource#open(String, Path, SourceOptions)}. */
final class Sources {
  private static final List<String> ARCHIVES = List.of(".tar", ".tar.gz", ".tgz");

  private Sources() {}

  static ImageSource open(String spec, Path dataRoot, SourceOptions options) {
    if (spec.startsWith(GeneratedSpec.PREFIX)) {
      return new GeneratedImages(GeneratedSpec.parse(spec));
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
    boolean plain = path.toString().toLowerCase(Locale.ROOT).endsWith(".tar");
    return plain
        ? TarSource.index(path, folder, options.decoder())
        : TarSource.load(path, folder, options.decoder(), options.memoryLimitBytes());
  }

  static void requireSameClasses(List<String> train, List<String> eval) {
    if (train.equals(eval)) {
      return;
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
