package org.maskedkd.vit;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A weights file checked against a model: what the model takes from it, one parameter at a time.
 *
 * <p>Names may be timm's or Hugging Face's, with a wrapper's words before them. Opened {@link
 * #strict}, shapes must be the model's own. Opened to {@link #adapt}, a head that is missing or for
 * other classes is replaced by a fresh one and position embeddings of another grid are resampled;
 * each such change is a notice for a person to read. Anything else that does not fit is an error
 * that lists all of it.
 */
public final class Weights implements AutoCloseable, ParameterSource {

  private final NamedTensors file;
  private final @Nullable Initialiser fresh;
  private final @Nullable PositionResampling resampling;
  private final List<String> notices;

  private Weights(
      NamedTensors file,
      @Nullable Initialiser fresh,
      @Nullable PositionResampling resampling,
      List<String> notices) {
    this.file = file;
    this.fresh = fresh;
    this.resampling = resampling;
    this.notices = List.copyOf(notices);
  }

  /**
   * Opens a file that has exactly the model's parameters.
   *
   * @throws WeightsException naming every missing, unexpected or misshapen tensor
   */
  public static Weights strict(ModelConfig config, Path path) {
    return checked(config, path, null);
  }

  /**
   * Opens a file that may differ in its number of classes and its grid.
   *
   * @param seed what a fresh head is drawn from
   * @throws WeightsException naming every tensor that cannot be adapted
   */
  public static Weights adapt(ModelConfig config, Path path, long seed) {
    return checked(config, path, new Initialiser(config, seed));
  }

  /** What was changed on the way from the file to the model; empty if nothing was. */
  public List<String> notices() {
    return notices;
  }

  @Override
  public void close() {
    file.close();
  }

  @Override
  public float[] values(String name, long[] shape) {
    if (file.contains(name) && Arrays.equals(file.shape(name), shape)) {
      return file.floats(name);
    }
    if (name.equals("pos_embed") && resampling != null) {
      return resampling.apply(file.floats(name));
    }
    if (fresh != null) {
      return fresh.values(name, shape);
    }
    throw new IllegalStateException(name + " passed the check with a wrong shape");
  }

  private static Weights checked(ModelConfig config, Path path, @Nullable Initialiser fresh) {
    NamedTensors file = NamedTensors.open(path);
    boolean sound = false;
    try {
      Weights weights = compare(config, file, fresh);
      sound = true;
      return weights;
    } finally {
      if (!sound) {
        file.close();
      }
    }
  }

  private static Weights compare(
      ModelConfig config, NamedTensors file, @Nullable Initialiser fresh) {
    Map<String, long[]> shapes = ParameterShapes.of(config);
    List<String> wrong = new ArrayList<>();
    List<String> notices = new ArrayList<>();
    PositionResampling resampling = null;
    boolean adaptable = false;
    boolean headless =
        shapes.keySet().stream().filter(ParameterShapes::isHead).noneMatch(file::contains);
    for (Map.Entry<String, long[]> parameter : shapes.entrySet()) {
      String name = parameter.getKey();
      if (!file.contains(name)) {
        boolean backbone = headless && ParameterShapes.isHead(name);
        if (fresh == null || !backbone) {
          adaptable |= backbone;
          wrong.add("missing " + name);
        } else if (name.endsWith(".weight")) {
          notices.add(
              "%s has no %s; it starts at random"
                  .formatted(file.path(), name.substring(0, name.indexOf('.'))));
        }
        continue;
      }
      if (!file.type(name).readsAsFloat()) {
        wrong.add("%s is %s, expected floats".formatted(name, file.type(name)));
        continue;
      }
      long[] found = file.shape(name);
      long[] expected = parameter.getValue();
      if (Arrays.equals(found, expected)) {
        continue;
      }
      PositionResampling between =
          name.equals("pos_embed") ? PositionResampling.between(found, file, config) : null;
      boolean head = isHeadOfOtherClasses(name, found, expected);
      if (fresh != null && head) {
        if (name.endsWith(".weight")) {
          notices.add(
              "%s replaced: %s has %d classes, the model %d; it starts at random"
                  .formatted(
                      name.substring(0, name.indexOf('.')), file.path(), found[0], expected[0]));
        }
      } else if (fresh != null && between != null) {
        resampling = between;
        notices.add(between.notice(file.path()));
      } else {
        adaptable |= head || between != null;
        wrong.add(
            "%s has shape %s, expected %s"
                .formatted(name, Arrays.toString(found), Arrays.toString(expected)));
      }
    }
    file.others(shapes.keySet()).forEach(name -> wrong.add("unexpected " + name));
    if (!wrong.isEmpty()) {
      throw new WeightsException(
          "%s does not hold the weights of %s; %d of its tensors differ: %s%s"
              .formatted(
                  file.path(),
                  config.canonical(),
                  wrong.size(),
                  String.join("; ", wrong),
                  adaptable
                      ? ". A head for other classes and position embeddings of another grid can be adapted on request"
                      : ""));
    }
    return new Weights(file, fresh, resampling, notices);
  }

  private static boolean isHeadOfOtherClasses(String name, long[] found, long[] expected) {
    return ParameterShapes.isHead(name)
        && found.length == expected.length
        && Arrays.equals(found, 1, found.length, expected, 1, expected.length);
  }
}
