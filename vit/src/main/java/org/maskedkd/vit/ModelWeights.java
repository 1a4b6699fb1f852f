package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;

/** The float32 parameters of one model: made, owned, restored, written. */
final class ModelWeights implements AutoCloseable {

  private final NDManager manager = Torch.manager().newSubManager();
  private final ModelConfig config;
  private final Predicate<String> trainable;
  private final Map<String, NDArray> arrays;

  /**
   * Takes one parameter after the other from the source, so that only one is on the heap at a time.
   *
   * @param trainable which of them take gradients
   */
  ModelWeights(ModelConfig config, ParameterSource source, Predicate<String> trainable) {
    this.config = config;
    this.trainable = trainable;
    Map<String, NDArray> made = new LinkedHashMap<>();
    boolean complete = false;
    try (Scope scope = Scope.open()) {
      ParameterShapes.of(config)
          .forEach(
              (name, shape) -> {
                NDArray array = scope.keep(Tensors.of(manager, source.values(name, shape), shape));
                made.put(name, trainable.test(name) ? Tensors.requireGradient(array) : array);
              });
      complete = true;
    } finally {
      if (!complete) {
        manager.close();
      }
    }
    arrays = Collections.unmodifiableMap(made);
  }

  Map<String, NDArray> arrays() {
    return arrays;
  }

  /** Those that take gradients, in the same order. */
  Map<String, NDArray> trained() {
    Map<String, NDArray> trained = new LinkedHashMap<>(arrays);
    trained.keySet().removeIf(trainable.negate());
    return trained;
  }

  NDArray named(String name) {
    return named(arrays, name);
  }

  static NDArray named(Map<String, NDArray> arrays, String name) {
    NDArray array = arrays.get(name);
    if (array == null) {
      throw new IllegalArgumentException(
          "no parameter '%s'; the nearest is '%s'"
              .formatted(name, Nearest.of(name, arrays.keySet())));
    }
    return array;
  }

  void restore(Path path) {
    try (Weights weights = Weights.strict(config, path);
        GradMode off = GradMode.off()) {
      arrays.forEach(
          (name, array) -> {
            try (Scope scope = Scope.open()) {
              long[] shape = array.getShape().getShape();
              Tensors.copyInto(
                  array, Tensors.of(scope.manager(), weights.values(name, shape), shape));
            }
          });
    }
  }

  /** Adds to the metadata what model it is. */
  void save(Path path, SafetensorsType type, Map<String, String> metadata, List<NDArray> values)
      throws IOException {
    if (values.size() != arrays.size()) {
      throw new IllegalArgumentException(
          "%d arrays do not stand for %d parameters".formatted(values.size(), arrays.size()));
    }
    List<SafetensorsWriter.Entry> entries = new ArrayList<>();
    arrays.forEach(
        (name, array) -> entries.add(entry(name, type, array, values.get(entries.size()))));
    Map<String, String> all = new LinkedHashMap<>(metadata);
    all.put("model", config.canonical());
    SafetensorsWriter.write(path, all, entries);
  }

  private static SafetensorsWriter.Entry entry(
      String name, SafetensorsType type, NDArray parameter, NDArray value) {
    if (!value.getShape().equals(parameter.getShape())) {
      throw new IllegalArgumentException(
          "values of %s have shape %s, expected %s"
              .formatted(name, value.getShape(), parameter.getShape()));
    }
    long[] shape = parameter.getShape().getShape();
    return type == SafetensorsType.F32
        ? new SafetensorsWriter.Entry(name, type, shape, () -> Tensors.bytes(value))
        : SafetensorsWriter.Entry.floats(name, type, shape, () -> Tensors.floats(value));
  }

  String digest() {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
    arrays.forEach(
        (name, array) -> {
          String head = name + Arrays.toString(array.getShape().getShape()) + "\n";
          digest.update(head.getBytes(StandardCharsets.UTF_8));
          digest.update(Tensors.bytes(array));
        });
    return HexFormat.of().formatHex(digest.digest());
  }

  @Override
  public void close() {
    manager.close();
  }
}
