package org.maskedkd.tensor;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Which of libtorch's kernels this processor gets. libtorch offers no operator that tells, so its
 * own rule is followed: the variable {@code ATEN_CPU_CAPABILITY} first, then the processor's flags.
 */
final class CpuFeatures {
  private static final Path CPU_INFO = Path.of("/proc/cpuinfo");
  private static final CpuFeatures THIS_MACHINE = read();

  private final Set<String> flags;
  private final Map<String, String> environment;

  CpuFeatures(String cpuInfo, Map<String, String> environment) {
    this.flags =
        cpuInfo
            .lines()
            .filter(line -> line.startsWith("flags") || line.startsWith("Features"))
            .limit(1)
            .map(line -> line.substring(line.indexOf(':') + 1).trim())
            .flatMap(line -> Stream.of(line.split("\\s+")))
            .collect(Collectors.toSet());
    this.environment = environment;
  }

  static CpuFeatures ofThisMachine() {
    return THIS_MACHINE;
  }

  private static CpuFeatures read() {
    try {
      String info = Files.isReadable(CPU_INFO) ? Files.readString(CPU_INFO) : "";
      return new CpuFeatures(info, System.getenv());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** {@code AVX512}, {@code AVX2} or {@code DEFAULT}. */
  String capability() {
    String asked = environment.getOrDefault("ATEN_CPU_CAPABILITY", "").toLowerCase(Locale.ROOT);
    if (Arrays.asList("default", "avx2", "avx512").contains(asked)) {
      return asked.toUpperCase(Locale.ROOT);
    }
    if (has("avx512vl", "avx512bw", "avx512dq", "fma")) {
      return "AVX512";
    }
    return has("avx2", "fma") ? "AVX2" : "DEFAULT";
  }

  /** {@code AMX}, {@code AVX512}, or {@code none}, where bfloat16 is emulated. */
  String bf16Unit() {
    if (has("amx_bf16")) {
      return "AMX";
    }
    return has("avx512_bf16") ? "AVX512" : "none";
  }

  /** Whether a bfloat16 product is fast enough to be worth its rounding: with AMX only. */
  boolean multipliesBfloat16() {
    return capability().equals("AVX512") && bf16Unit().equals("AMX");
  }

  private boolean has(String... names) {
    return flags.containsAll(Arrays.asList(names));
  }
}
