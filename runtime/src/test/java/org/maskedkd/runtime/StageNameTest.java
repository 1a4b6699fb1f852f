package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.UnknownHostException;
import java.security.Security;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class StageNameTest {

  @ParameterizedTest
  @CsvSource({
    "dns:teachers:9091, teachers:9091",
    "dns:///teachers.training.svc:9091, teachers.training.svc:9091",
    "dns:[::1]:9091, [::1]:9091"
  })
  void parse_aName_keepsHostAndPort(String text, String authority) {
    assertThat(StageName.isName(text)).isTrue();
    assertThat(StageName.parse(text).authority()).isEqualTo(authority);
    assertThat(StageName.parse(text)).hasToString("dns:" + authority);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "dns:",
        "dns:teachers",
        "dns::9091",
        "dns://8.8.8.8/teachers:9091",
        "dns:teachers:0"
      })
  void parse_noName_isRefusedNamingIt(String text) {
    assertThatThrownBy(() -> StageName.parse(text))
        .isInstanceOf(RunException.class)
        .hasMessageContaining(text.substring("dns:".length()));
  }

  @Test
  void isName_anAddress_isNot() {
    assertThat(StageName.isName("teachers:9091")).isFalse();
    assertThat(StageName.isName("unix:/tmp/teacher.sock")).isFalse();
  }

  @Test
  void resolve_anAddress_isItself() throws UnknownHostException {
    assertThat(StageName.parse("dns:127.0.0.1:9091").resolve()).containsExactly("127.0.0.1:9091");
  }

  @Test
  void keepNothing_isWhatJavaReads() {
    StageName.keepNothing();
    assertThat(Security.getProperty("networkaddress.cache.ttl")).isEqualTo("1");
  }
}
