package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GpusTest {
  private static List<String> of(String variable) {
    return Gpus.of(Map.of("NVIDIA_VISIBLE_DEVICES", variable));
  }

  @Test
  void of_namesOfDevices_areThose() {
    assertThat(of("GPU-8a3f,MIG-1b2c")).containsExactly("GPU-8a3f", "MIG-1b2c");
  }

  @Test
  void of_sharesOfADevice_areTheDevice() {
    assertThat(of("GPU-8a3f::0, GPU-8a3f::11")).containsExactly("GPU-8a3f");
  }

  @Test
  void of_whatNamesNoDevice_isLeftOut() {
    for (String variable : List.of("", "all", "none", "void", "0,1")) {
      assertThat(of(variable)).isEmpty();
    }
    assertThat(Gpus.of(Map.of())).isEmpty();
  }
}
