package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TorchTest {
  @Test
  void numerics_afterUseThreads_tellThem() {
    Torch.start(1);
    assertThat(Torch.numerics())
        .containsEntry("threads", "1")
        .containsEntry("device", "cpu")
        .containsEntry("libtorch", "2.7.1")
        .containsKeys(
            "arch",
            "attention-rule",
            "frozen-linear-rule",
            "bf16-unit",
            "cpu-capability",
            "engine");
  }

  @Test
  void useThreads_zero_isRefused() {
    assertThatThrownBy(() -> Torch.useThreads(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("(0)");
  }

  @Test
  void capability_flagsAndVariable_followLibtorchsRule() {
    String server = "flags\t: fma avx2 avx512vl avx512bw avx512dq avx512_bf16 amx_bf16";
    assertThat(new CpuFeatures(server, Map.of()).capability()).isEqualTo("AVX512");
    assertThat(new CpuFeatures(server, Map.of()).bf16Unit()).isEqualTo("AMX");
    assertThat(new CpuFeatures(server, Map.of("ATEN_CPU_CAPABILITY", "avx2")).capability())
        .isEqualTo("AVX2");
    assertThat(new CpuFeatures("flags : fma avx2\n", Map.of()).capability()).isEqualTo("AVX2");
    assertThat(new CpuFeatures("flags : avx2\n", Map.of()).capability()).isEqualTo("DEFAULT");
    assertThat(new CpuFeatures("", Map.of()).bf16Unit()).isEqualTo("none");
  }

  @Test
  void attentionRule_precisionAndProcessor_decideUnlessTheVariableDoes() {
    String flags = "flags : fma avx2 avx512vl avx512bw avx512dq";
    CpuFeatures amx = new CpuFeatures(flags + " avx512_bf16 amx_bf16", Map.of());
    CpuFeatures server = new CpuFeatures(flags, Map.of());
    CpuFeatures older = new CpuFeatures("flags : fma avx2", Map.of());
    for (boolean frozen : new boolean[] {false, true}) {
      assertThat(AttentionKernel.rule(Precision.FP32, frozen, older, Map.of()))
          .isEqualTo(AttentionKernel.FUSED);
      assertThat(AttentionKernel.rule(Precision.BF16, frozen, older, Map.of()))
          .isEqualTo(AttentionKernel.FUSED_WIDENED);
      Map<String, String> asked = Map.of("MASKEDKD_ATTENTION", "plain-widened");
      assertThat(AttentionKernel.rule(Precision.BF16, frozen, server, asked))
          .isEqualTo(AttentionKernel.PLAIN_WIDENED);
    }
    assertThat(AttentionKernel.rule(Precision.BF16, true, server, Map.of()))
        .isEqualTo(AttentionKernel.FUSED);
    assertThat(AttentionKernel.rule(Precision.BF16, false, server, Map.of()))
        .isEqualTo(AttentionKernel.FUSED_WIDENED);
    assertThat(AttentionKernel.rule(Precision.BF16, false, amx, Map.of()))
        .isEqualTo(AttentionKernel.PLAIN);
    Map<String, String> unknown = Map.of("MASKEDKD_ATTENTION", "flash");
    assertThatThrownBy(() -> AttentionKernel.rule(Precision.FP32, false, older, unknown))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'flash'")
        .hasMessageContaining("fused, plain, fused-widened, plain-widened");
  }

  @Test
  void write_sameSourceTwice_givesEqualBytes() throws IOException {
    assertThat(ScriptArchive.write("A", "class A(Module):\n"))
        .isEqualTo(ScriptArchive.write("A", "class A(Module):\n"));
  }
}
