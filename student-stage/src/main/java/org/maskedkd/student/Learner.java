package org.maskedkd.student;

import ai.djl.ndarray.NDArray;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Optimization;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.tensor.AdamW;
import org.maskedkd.tensor.Ema;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.vit.ImageModel;
import org.maskedkd.vit.SafetensorsFile;
import org.maskedkd.vit.SafetensorsType;
import org.maskedkd.vit.SafetensorsWriter;

/** The student's weights and everything that changes them: gradients, optimizer, moving average. */
final class Learner implements AutoCloseable {
  private static final String OPTIMIZER = "optimizer.safetensors";

  private final ImageModel model;
  private final List<String> names;
  private final List<NDArray> parameters;
  private final Gradients gradients;
  private final AdamW optimizer;
  private final @Nullable Ema ema;
  private final double clipNorm;

  /** Takes ownership of {@code model}. */
  Learner(ImageModel model, Optimization recipe) {
    this.model = model;
    this.names = List.copyOf(model.parameters().keySet());
    this.parameters = List.copyOf(model.parameters().values());
    this.gradients = new Gradients(List.copyOf(model.trained().values()));
    this.optimizer =
        new AdamW(groups(model, recipe), recipe.getBeta1(), recipe.getBeta2(), recipe.getEpsilon());
    this.ema = recipe.getEmaDecay() > 0 ? new Ema(parameters, recipe.getEmaDecay()) : null;
    this.clipNorm = recipe.getClipNorm();
  }

  /**
   * Decay acts on weight matrices alone, see {@link ImageModel#decays}. With a decay of the rate
   * over the layers each of them has groups of its own, and the head the whole rate.
   */
  private static List<AdamW.Group> groups(ImageModel model, Optimization recipe) {
    // 0 stands for none.
    double layerDecay = recipe.getLayerDecay() == 0 ? 1 : recipe.getLayerDecay();
    List<AdamW.Group> groups = new ArrayList<>();
    for (int layer = layerDecay == 1 ? model.layers() : 0; layer <= model.layers(); layer++) {
      List<NDArray> decaying = new ArrayList<>();
      List<NDArray> others = new ArrayList<>();
      int own = layer;
      model
          .trained()
          .forEach(
              (name, p) -> {
                if (layerDecay == 1 || model.layer(name) == own) {
                  (model.decays(name) ? decaying : others).add(p);
                }
              });
      double scale = Math.pow(layerDecay, model.layers() - layer);
      groups.add(new AdamW.Group(decaying, recipe.getWeightDecay(), scale));
      groups.add(new AdamW.Group(others, 0, scale));
    }
    return groups;
  }

  ImageModel model() {
    return model;
  }

  /** What the backwards since the last step add up to, in the order of what the model trains. */
  Gradients gradients() {
    return gradients;
  }

  /**
   * One optimizer step on what the backwards accumulated.
   *
   * @return the gradient's norm before clipping; when it is not finite nothing was changed but the
   *     gradient zeroed
   */
  double step(double learningRate) {
    double norm = clipNorm > 0 ? gradients.clip(clipNorm) : gradients.norm();
    if (Double.isFinite(norm)) {
      optimizer.step(gradients, learningRate);
      if (ema != null) {
        ema.update();
      }
    }
    gradients.zero();
    return norm;
  }

  /** Forgets what the backwards of an abandoned step accumulated. */
  void dropGradients() {
    gradients.zero();
  }

  /**
   * Writes weights, moments and averages, each under its parameter's name.
   *
   * @param metadata of the weights, see {@link RunProvenance}
   */
  void save(Path directory, Map<String, String> metadata) throws IOException {
    model.save(
        directory.resolve(CheckpointStore.WEIGHTS), SafetensorsType.F32, of("model", metadata));
    List<SafetensorsWriter.Entry> moments = new ArrayList<>();
    for (int i = 0; i < optimizer.parameters().size(); i++) {
      String name = nameOf(optimizer.parameters().get(i));
      moments.add(entry("first." + name, optimizer.firstMoments().get(i)));
      moments.add(entry("second." + name, optimizer.secondMoments().get(i)));
    }
    SafetensorsWriter.write(
        directory.resolve(OPTIMIZER), Map.of("steps", Long.toString(optimizer.steps())), moments);
    if (ema != null) {
      model.save(
          directory.resolve(CheckpointStore.EMA),
          SafetensorsType.F32,
          of("averaged", metadata),
          ema.averages());
    }
  }

  private static Map<String, String> of(String weights, Map<String, String> metadata) {
    Map<String, String> all = new TreeMap<>(metadata);
    all.put("weights", weights);
    return all;
  }

  /**
   * Takes over what {@link #save} wrote, in place.
   *
   * @throws RunException if the files do not hold this model's state
   */
  void load(Path directory) {
    try (Scope scope = Scope.open();
        SafetensorsFile moments = SafetensorsFile.open(directory.resolve(OPTIMIZER))) {
      model.restore(directory.resolve(CheckpointStore.WEIGHTS));
      List<NDArray> first = new ArrayList<>();
      List<NDArray> second = new ArrayList<>();
      for (NDArray parameter : optimizer.parameters()) {
        String name = nameOf(parameter);
        first.add(read(scope, moments, "first." + name, parameter));
        second.add(read(scope, moments, "second." + name, parameter));
      }
      optimizer.restore(
          first, second, Long.parseLong(moments.metadata().getOrDefault("steps", "0")));
      if (ema != null) {
        loadAverages(scope, ema, directory.resolve(CheckpointStore.EMA));
      }
    }
    gradients.zero();
  }

  private void loadAverages(Scope scope, Ema averaging, Path path) {
    try (SafetensorsFile averages = SafetensorsFile.open(path)) {
      for (int i = 0; i < names.size(); i++) {
        Tensors.copyInto(
            averaging.averages().get(i), read(scope, averages, names.get(i), parameters.get(i)));
      }
    }
  }

  private String nameOf(NDArray parameter) {
    // NDArray's equals compares contents, so the list cannot be searched with it.
    for (int i = 0; i < parameters.size(); i++) {
      if (parameters.get(i) == parameter) {
        return names.get(i);
      }
    }
    throw new IllegalStateException("the optimizer holds a parameter that the model does not");
  }

  private static SafetensorsWriter.Entry entry(String name, NDArray array) {
    return new SafetensorsWriter.Entry(
        name, SafetensorsType.F32, array.getShape().getShape(), () -> Tensors.bytes(array));
  }

  private static NDArray read(Scope scope, SafetensorsFile file, String name, NDArray like) {
    long[] shape = like.getShape().getShape();
    if (!file.contains(name) || !Arrays.equals(file.shape(name), shape)) {
      throw new RunException(
          ExitCode.BAD_DATA,
          "%s must hold %s of shape %s, found %s: the checkpoint is of another model or recipe"
              .formatted(
                  file.path(),
                  name,
                  Arrays.toString(shape),
                  file.contains(name) ? Arrays.toString(file.shape(name)) : "nothing"));
    }
    return Tensors.of(scope.manager(), file.readFloats(name), shape);
  }

  /**
   * Runs {@code task} with the averaged weights in the model's place and puts the model's own back,
   * bit for bit.
   */
  <T> T withEma(Callable<T> task) throws Exception {
    if (ema == null) {
      throw new IllegalArgumentException(
          "no moving average of the weights is kept in this run: set ema.decay");
    }
    try (Scope scope = Scope.open()) {
      List<NDArray> own = new ArrayList<>();
      for (NDArray parameter : parameters) {
        NDArray copy = Tensors.zeros(scope.manager(), parameter.getShape().getShape());
        Tensors.copyInto(copy, parameter);
        own.add(copy);
      }
      List<NDArray> averages = ema.averages();
      for (int i = 0; i < parameters.size(); i++) {
        Tensors.copyInto(parameters.get(i), averages.get(i));
      }
      try {
        return task.call();
      } finally {
        for (int i = 0; i < parameters.size(); i++) {
          Tensors.copyInto(parameters.get(i), own.get(i));
        }
      }
    }
  }

  @Override
  public void close() {
    optimizer.close();
    gradients.close();
    if (ema != null) {
      ema.close();
    }
    model.close();
  }
}
