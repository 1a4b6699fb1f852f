package org.maskedkd.tensor;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The ways to compute attention: the same function, with other last bits and other costs.
 *
 * <p>Which one runs is a rule of processor, precision and whether gradients will be asked for, not
 * of the shape and not of the batch, so that the result does not depend on how a batch is cut or on
 * what else the machine did when a process started. {@code docs/performance.md} has the
 * measurements behind it. The variable {@code MASKEDKD_ATTENTION} overrides it; {@link
 * Torch#numerics} tells what is in force.
 */
public enum AttentionKernel {
  /** libtorch's fused kernel, which never holds all scores at once. */
  FUSED,
  /** Product, softmax, product. */
  PLAIN,
  /** The fused kernel in float32, rounded once to the input's format. */
  FUSED_WIDENED,
  /** The plain form in float32, rounded once to the input's format. */
  PLAIN_WIDENED;

  private static final String VARIABLE = "MASKEDKD_ATTENTION";

  /** Its method in the script. */
  String method() {
    return "self_attention_" + name().toLowerCase(Locale.ROOT);
  }

  /**
   * What {@link Ops#selfAttention(ai.djl.ndarray.NDArray, int)} or, for a frozen model, {@link
   * Ops#frozenSelfAttention} uses in this process.
   *
   * @throws IllegalArgumentException if the variable names no kernel
   */
  static AttentionKernel of(Precision precision, boolean frozen) {
    return rule(precision, frozen, CpuFeatures.ofThisMachine(), System.getenv());
  }

  /**
   * The fused kernel is the fastest forward wherever its products are. Its backward in bfloat16 is
   * not: it asks oneDNN for one small product after the other, and each of them is set up anew,
   * which takes up to ten times as long as the detour through float32. The plain form has few and
   * large products, for which AMX is made.
   */
  static AttentionKernel rule(
      Precision precision, boolean frozen, CpuFeatures cpu, Map<String, String> environment) {
    String asked = environment.getOrDefault(VARIABLE, "");
    if (!asked.isEmpty()) {
      return named(asked);
    }
    return switch (precision) {
      case FP32 -> FUSED;
      case BF16 -> {
        if (frozen) {
          yield cpu.capability().equals("AVX512") ? FUSED : FUSED_WIDENED;
        }
        yield cpu.multipliesBfloat16() ? PLAIN : FUSED_WIDENED;
      }
    };
  }

  private static AttentionKernel named(String asked) {
    return Arrays.stream(values())
        .filter(kernel -> kernel.text().equals(asked))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "%s is '%s'; expected %s, or nothing for the rule by processor"
                        .formatted(
                            VARIABLE,
                            asked,
                            Arrays.stream(values())
                                .map(AttentionKernel::text)
                                .collect(Collectors.joining(", ")))));
  }

  /** As in the variable and in the numerics: {@code fused-widened}. */
  String text() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
