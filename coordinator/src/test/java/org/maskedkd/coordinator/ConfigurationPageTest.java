package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ConfigurationPageTest {
  @Test
  void page_holdsEveryKeyWithItsDefault() throws IOException {
    String page = Files.readString(Path.of("..", "docs", "configuration.md"));
    assertThat(page).contains("```yaml\n" + ConfigLoader.defaultsYaml().strip() + "\n```");
  }

  @Test
  void page_holdsEveryRecipe() throws IOException {
    String page = Files.readString(Path.of("..", "docs", "configuration.md"));
    assertThat(page).contains("```yaml\n" + Recipes.yaml().strip() + "\n```");
  }
}
