package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;

/**
 * One reference case with its two models, and the steps of distillation in the small. Lives inside
 * one scope.
 */
final class GoldenCase implements AutoCloseable {

  static final int BATCH = 4;
  static final int CLASSES = 10;

  final String name;
  final Scope scope = Scope.open();
  final VisionTransformer student;
  final VisionTransformer teacher;
  final NDArray studentPatches;
  final NDArray teacherPatches;
  final int k;
  final double alpha;
  final double temperature;

  GoldenCase(String name) {
    this.name = name;
    VitConfig studentConfig = Golden.config(name + ".student");
    VitConfig teacherConfig = Golden.config(name + ".teacher");
    student =
        VisionTransformer.load(
            studentConfig,
            Golden.path(name + ".student"),
            Precision.FP32,
            VisionTransformer.Mode.TRAINABLE);
    teacher = teacher(Precision.FP32);
    NDArray images =
        Tensors.of(
            scope.manager(),
            Golden.floats(name + ".input", "image"),
            BATCH,
            3,
            teacherConfig.imageHeight(),
            teacherConfig.imageWidth());
    teacherPatches = Ops.patches(images, teacherConfig.patch());
    studentPatches =
        studentConfig.imageHeight() == teacherConfig.imageHeight()
            ? teacherPatches
            : Ops.patches(
                Ops.resizeBilinear(images, studentConfig.imageHeight(), studentConfig.imageWidth()),
                studentConfig.patch());
    k = Integer.parseInt(number("k"));
    alpha = Double.parseDouble(number("alpha"));
    temperature = Double.parseDouble(number("temp"));
  }

  String number(String key) {
    return Objects.requireNonNull(Golden.metadata(name + ".expected").get(key), key);
  }

  double real(String key) {
    return Double.parseDouble(number(key));
  }

  VisionTransformer teacher(Precision precision) {
    return VisionTransformer.load(
        Golden.config(name + ".teacher"),
        Golden.path(name + ".teacher"),
        precision,
        VisionTransformer.Mode.FROZEN);
  }

  float[] expected(String tensor) {
    return Golden.floats(name + ".expected", tensor);
  }

  NDArray chosen() {
    return Tensors.of(scope.manager(), Golden.longs(name + ".expected", "topk"), BATCH, k);
  }

  /** Scores on the teacher's grid. */
  float[][] onTeacherGrid(float[][] saliency) {
    VitConfig from = student.config();
    VitConfig to = teacher.config();
    return Arrays.stream(saliency)
        .map(
            s ->
                Saliency.toGrid(
                    s, from.gridRows(), from.gridColumns(), to.gridRows(), to.gridColumns()))
        .toArray(float[][]::new);
  }

  double[][] target() {
    double[][] target = new double[BATCH][CLASSES];
    double smoothing = real("smoothing");
    try (SafetensorsFile input = SafetensorsFile.open(Golden.path(name + ".input"))) {
      float[] given = input.contains("target") ? input.readFloats("target") : null;
      for (int i = 0; i < BATCH; i++) {
        for (int c = 0; c < CLASSES; c++) {
          target[i][c] = given != null ? given[i * CLASSES + c] : smoothing / CLASSES;
        }
        if (given == null) {
          target[i][(int) input.readLongs("label")[i]] += 1 - smoothing;
        }
      }
    }
    return target;
  }

  /**
   * The loss of samples {@code from ... to - 1} as their part of the whole batch's, from our own
   * logits.
   */
  DistillationLoss loss(float[] studentLogits, float[] teacherLogits, int from, int to) {
    return DistillationLoss.of(
        rows(studentLogits),
        Arrays.copyOfRange(rows(teacherLogits), from, to),
        Arrays.copyOfRange(target(), from, to),
        BATCH,
        alpha,
        temperature);
  }

  /** Adds the gradients of the whole distillation loss, taken in micro-batches of these sizes. */
  void backward(int... sizes) {
    NDArray kept = chosen();
    float[] teacherLogits =
        Tensors.floats(teacher.forward(Ops.gatherTokens(teacherPatches, kept), kept).logits());
    int from = 0;
    for (int size : sizes) {
      try (Scope micro = Scope.open()) {
        NDArray part = studentPatches.get("{}:{}", from, from + size);
        NDArray logits = student.forward(part).logits();
        DistillationLoss loss = loss(Tensors.floats(logits), teacherLogits, from, from + size);
        Gradients.backward(logits, Tensors.of(micro.manager(), loss.gradient(), size, CLASSES));
      }
      from += size;
    }
  }

  List<String> parameterNames() {
    return new ArrayList<>(student.parameters().keySet());
  }

  List<NDArray> parameters() {
    return List.copyOf(student.parameters().values());
  }

  static float[][] rows(float[] logits) {
    float[][] rows = new float[logits.length / CLASSES][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = Arrays.copyOfRange(logits, i * CLASSES, (i + 1) * CLASSES);
    }
    return rows;
  }

  @Override
  public void close() {
    student.close();
    teacher.close();
    scope.close();
  }
}
