package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

class CoordinatorStateTest {

  private static CoordinatorState state(RunConfig config) {
    return state(Resumption.digest(config), Resumption.deciding(config));
  }

  private static CoordinatorState state(String digest, @Nullable Map<String, String> config) {
    return new CoordinatorState(digest, "data", "teacher", 4, 1, 1, 0.5, config);
  }

  private static Map<String, String> without(String key) {
    Map<String, String> config = new TreeMap<>(Resumption.deciding(House.config(true)));
    assertThat(config.remove(key)).as(key).isNotNull();
    return config;
  }

  @Test
  void requireSame_onlyKeysThatChangeNoMathematics_passes() {
    RunConfig other =
        House.config(
            true,
            "schedule.micro-batches=5",
            "schedule.window=3",
            "teacher.replicas=3",
            "checkpoint.keep=9",
            "evaluation.batch=7");
    CoordinatorState before = CoordinatorState.parse(state(House.config(true)).toJson());

    assertThatCode(() -> before.requireSame(state(other))).doesNotThrowAnyException();
  }

  @Test
  void requireSame_otherMathematics_isRefusedNamingKeyAndBothValues() {
    CoordinatorState before = state(House.config(true));

    assertThatThrownBy(() -> before.requireSame(state(House.config(true, "masking.keep=0.75"))))
        .isInstanceOfSatisfying(
            RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
        .hasMessageContaining("masking.keep was 0.5 and is now 0.75");
  }

  @Test
  void requireSame_keyOfALaterRelease_passesAtItsDefaultOnly() {
    // What a release wrote that did not know the key yet.
    CoordinatorState before = state("another digest", without("ema.decay"));

    assertThatCode(() -> before.requireSame(state(House.config(true)))).doesNotThrowAnyException();
    assertThatThrownBy(() -> before.requireSame(state(House.config(true, "ema.decay=0.9"))))
        .hasMessageContaining("ema.decay was not known and is now 0.9");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "masking.keep-end",
        "masking.random-share",
        "distillation.manifold.weight",
        "distillation.manifold.student-blocks",
        "distillation.attention.weight",
        "augmentation.color-jitter",
        "teacher.merge"
      })
  void requireSame_keyOfALaterRelease_isComparedByItsValueNotByHowTheDefaultIsWritten(String key) {
    CoordinatorState before = state("another digest", without(key));

    assertThatCode(() -> before.requireSame(state(House.config(true)))).doesNotThrowAnyException();
  }

  @Test
  void requireSame_keyThatHasBecomeFree_passesWithAnyValue() {
    Map<String, String> config = new TreeMap<>(Resumption.deciding(House.config(true)));
    assertThat(config.put("augmentation.recipe", "\"deit\"")).isNull();
    CoordinatorState before = state("another digest", config);

    assertThatCode(() -> before.requireSame(state(House.config(true)))).doesNotThrowAnyException();
  }

  @Test
  void requireSame_ofFormatOne_comparesTheDigest() {
    RunConfig config = House.config(true);
    CoordinatorState now = state(config);

    assertThatCode(() -> state(Resumption.digest(config), null).requireSame(now))
        .doesNotThrowAnyException();
    assertThatThrownBy(() -> state("another digest", null).requireSame(now))
        .hasMessageContaining("another digest");
  }
}
