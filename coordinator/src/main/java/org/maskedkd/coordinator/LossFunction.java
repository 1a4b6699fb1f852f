package org.maskedkd.coordinator;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.LossParts;

/**
 * The loss of one micro-batch and its gradient with respect to the student's logits, in closed form
 * and double precision.
 *
 * <p>Per sample, with z the student's logits, t the masked teacher's, w the target, a = alpha, T
 * the temperature:
 *
 * <pre>
 *   soft   (1-a) CE(z, w) + a T^2 KL(softmax(t/T) || softmax(z/T))
 *          gradient (1-a) (softmax(z) sum(w) - w) + a T (softmax(z/T) - softmax(t/T))
 *   hard   (1-a) CE(z, w) + a CE(z, argmax t)
 *          gradient (1-a) (softmax(z) sum(w) - w) + a (softmax(z) - onehot(argmax t))
 *   none   CE(z, w)
 * </pre>
 *
 * Where a student's heads have losses of their own, the second term is that of the distillation
 * head's logits, with a gradient of its own.
 *
 * <p>The gradient is divided by the whole batch, so that those of the micro-batches add up to the
 * gradient of the mean. Not thread-safe: it keeps scratch rows, so that nothing is allocated per
 * sample.
 */
public final class LossFunction {

  private final RunConfig.Kind kind;
  private final double alpha;
  private final double temperature;
  private final Exponential exponential = new Exponential();

  // One sample's z, t, w and what becomes of them.
  private double[] logits = new double[0];
  private double[] signal = new double[0];
  private double[] target = new double[0];
  private double[] student = new double[0];
  private double[] softened = new double[0];
  private double[] teacher = new double[0];
  private double[] row = new double[0];

  /**
   * @param alpha the teacher's weight, in [0, 1]
   * @param temperature what both sides' logits are divided by for {@code SOFT}
   */
  public LossFunction(RunConfig.Kind kind, double alpha, double temperature) {
    this.kind = kind;
    this.alpha = kind == RunConfig.Kind.NONE ? 0 : alpha;
    this.temperature = temperature;
  }

  /**
   * Loss and gradient of one micro-batch of a student with one head.
   *
   * @param z {@code [samples, classes]}, the student's logits
   * @param gradient {@code [samples, classes]}, written
   * @return as the other {@code apply}
   */
  public LossParts apply(
      float[] z, float @Nullable [] t, float[] w, int classes, int wholeBatch, float[] gradient) {
    return apply(new StudentLogits(z), t, w, classes, wholeBatch, new StudentLogits(gradient));
  }

  /**
   * Loss and gradient of one micro-batch.
   *
   * @param z the student's logits
   * @param t {@code [samples, classes]}, the teacher's, or null when the kind is none
   * @param w {@code [samples, classes]}, the target, which need not sum to one
   * @param wholeBatch samples of all micro-batches of the step together
   * @param gradient of the shape of {@code z}, written
   * @return sums over the samples; not finite where an input is not
   */
  public LossParts apply(
      StudentLogits z,
      float @Nullable [] t,
      float[] w,
      int classes,
      int wholeBatch,
      StudentLogits gradient) {
    if (kind != RunConfig.Kind.NONE && t == null) {
      throw new IllegalArgumentException("a loss of kind " + kind + " needs the teacher's logits");
    }
    if (row.length != classes) {
      logits = new double[classes];
      signal = new double[classes];
      target = new double[classes];
      student = new double[classes];
      softened = new double[classes];
      teacher = new double[classes];
      row = new double[classes];
    }
    double base = 0;
    double distillation = 0;
    int studentCorrect = 0;
    int teacherCorrect = 0;
    for (int from = 0; from < w.length; from += classes) {
      int label = strongest(w, from, classes);
      int guess = strongest(z.main(), from, classes);
      widen(z.main(), from, logits);
      widen(w, from, target);
      double normalizer = softmax(logits, guess, 1, student);
      base += supervised(normalizer, (1 - alpha) / wholeBatch);
      float[] second = z.distillation();
      float[] secondGradient = gradient.distillation();
      if (second != null && secondGradient != null) {
        narrow(row, gradient.main(), from);
        for (int c = 0; c < classes; c++) {
          // What an evaluation reads is the mean of both heads.
          row[c] = logits[c] + second[from + c];
        }
        studentCorrect += strongest(row) == label ? 1 : 0;
        guess = strongest(second, from, classes);
        widen(second, from, logits);
        normalizer = softmax(logits, guess, 1, student);
        Arrays.fill(row, 0);
      } else {
        studentCorrect += guess == label ? 1 : 0;
      }
      if (t != null && kind != RunConfig.Kind.NONE) {
        int choice = strongest(t, from, classes);
        teacherCorrect += choice == label ? 1 : 0;
        if (kind == RunConfig.Kind.SOFT) {
          widen(t, from, signal);
          distillation += soft(guess, choice, normalizer, wholeBatch);
        } else {
          distillation += hard(choice, normalizer, wholeBatch);
        }
      }
      narrow(row, secondGradient == null ? gradient.main() : secondGradient, from);
    }
    double scale = kind == RunConfig.Kind.SOFT ? temperature * temperature : 1;
    return LossParts.newBuilder()
        .setTotal((1 - alpha) * base + alpha * scale * distillation)
        .setBase(base)
        .setDistillation(distillation)
        .setStudentCorrect(studentCorrect)
        .setTeacherCorrect(teacherCorrect)
        .build();
  }

  /** Once, since every conversion costs as much as the arithmetic on what it gives. */
  private static void widen(float[] x, int from, double[] into) {
    for (int c = 0; c < into.length; c++) {
      into[c] = x[from + c];
    }
  }

  private static void narrow(double[] row, float[] into, int from) {
    for (int c = 0; c < row.length; c++) {
      into[from + c] = (float) row[c];
    }
  }

  /** Writes the gradient of the cross-entropy with the target and returns the cross-entropy. */
  private double supervised(double normalizer, double factor) {
    for (int c = 0; c < row.length; c++) {
      row[c] = target[c] * (normalizer - logits[c]);
    }
    double entropy = Exponential.sum(row);
    double mass = Exponential.sum(target);
    for (int c = 0; c < row.length; c++) {
      row[c] = factor * (student[c] * mass - target[c]);
    }
    return entropy;
  }

  /** Adds the divergence's gradient and returns the divergence. */
  private double soft(int guess, int choice, double normalizer, int wholeBatch) {
    double teacherNormalizer = softmax(signal, choice, temperature, teacher);
    double[] q = student;
    double studentNormalizer = normalizer;
    if (temperature != 1) {
      studentNormalizer = softmax(logits, guess, temperature, softened);
      q = softened;
    }
    double factor = alpha * temperature / wholeBatch;
    double scale = 1 / temperature;
    double shift = studentNormalizer - teacherNormalizer;
    for (int c = 0; c < row.length; c++) {
      row[c] += factor * (q[c] - teacher[c]);
    }
    for (int c = 0; c < row.length; c++) {
      teacher[c] *= (signal[c] - logits[c]) * scale + shift;
    }
    return Exponential.sum(teacher);
  }

  /** The same for the cross-entropy with the teacher's choice. */
  private double hard(int choice, double normalizer, int wholeBatch) {
    double factor = alpha / wholeBatch;
    for (int c = 0; c < row.length; c++) {
      row[c] += factor * student[c];
    }
    row[choice] -= factor;
    return normalizer - logits[choice];
  }

  /** Writes softmax(x / T) and returns log sum exp(x / T). */
  private double softmax(double[] x, int greatest, double temperature, double[] into) {
    double scale = 1 / temperature;
    double max = x[greatest] * scale;
    for (int c = 0; c < into.length; c++) {
      into[c] = x[c] * scale - max;
    }
    double sum = exponential.replace(into);
    double inverse = 1 / sum;
    for (int c = 0; c < into.length; c++) {
      into[c] *= inverse;
    }
    return max + Math.log(sum);
  }

  private static int strongest(double[] x) {
    int best = 0;
    for (int c = 1; c < x.length; c++) {
      best = x[c] > x[best] ? c : best;
    }
    return best;
  }

  /** The class of the greatest value, the first of equals. */
  static int strongest(float[] x, int from, int classes) {
    int best = 0;
    float greatest = x[from];
    for (int c = 1; c < classes; c++) {
      if (x[from + c] > greatest) {
        best = c;
        greatest = x[from + c];
      }
    }
    return best;
  }
}
