package org.maskedkd.tensor;

import java.util.Arrays;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The ways to compute attention: the same function, with other last bits and other costs.
 *
 * <p>Which one runs is a rule of processor and precision, not of the shape and not of the batch, so
 * that the result does not depend on how a batch is cut or on what else the machine did when a
 * process started. {@code docs/performance.md} has the measurements behind it. The variable {@code
 * MASKEDKD_ATTENTION} overrides it; {@link Torch#numerics} tells what is in force.
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
  private static volatile @Nullable Map<Precision, AttentionKernel> inForce;

  /** Its method in the script. */
  String method() {
    return "self_attention_" + name().toLowerCase(Locale.ROOT);
  }

  /**
   * What {@link Ops#selfAttention(ai.djl.ndarray.NDArray, int)} uses in this process.
   *
   * @throws IllegalArgumentException if the variable names no kernel
   */
  public static AttentionKernel of(Precision precision) {
    Map<Precision, AttentionKernel> known = inForce;
    if (known == null) {
      CpuFeatures cpu = CpuFeatures.ofThisMachine();
      known = new EnumMap<>(Precision.class);
      for (Precision each : Precision.values()) {
        known.put(each, rule(each, cpu, System.getenv()));
      }
      inForce = known;
    }
    return Objects.requireNonNull(known.get(precision));
  }

  /**
   * Without AVX512 the products of a bfloat16 kernel are loops over single numbers: its backward
   * takes up to eight times as long as the detour through float32.
   */
  static AttentionKernel rule(
      Precision precision, CpuFeatures cpu, Map<String, String> environment) {
    String asked = environment.getOrDefault(VARIABLE, "");
    if (!asked.isEmpty()) {
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
    return precision == Precision.BF16 && !cpu.capability().equals("AVX512")
        ? FUSED_WIDENED
        : FUSED;
  }

  /** As in the variable and in the numerics: {@code fused-widened}. */
  String text() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
