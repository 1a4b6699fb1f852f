package org.maskedkd.vit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WeightsOriginTest {
  @TempDir Path folder;

  private WeightsOrigin origin(Map<String, String> metadata) throws IOException {
    Path file = folder.resolve("model.safetensors");
    SafetensorsWriter.write(file, metadata, List.of());
    return WeightsOrigin.of(file);
  }

  @Test
  void of_metadata_comesBeforeConfigAndThatBeforeTheText() throws IOException {
    assertThat(origin(Map.of()).license()).isEqualTo("unknown");

    Files.writeString(folder.resolve("LICENSE"), "\n   Apache License\n   Version 2.0\n");
    assertThat(origin(Map.of()).license()).isEqualTo("Apache License");

    Files.writeString(folder.resolve("config.json"), "{\"license\": \"mit\"}");
    assertThat(origin(Map.of()).license()).isEqualTo("mit");

    assertThat(origin(Map.of("licence", "cc-by-nc-4.0")).license()).isEqualTo("cc-by-nc-4.0");
  }

  @Test
  void of_configThatSaysNothing_isPassedOver() throws IOException {
    Files.writeString(folder.resolve("config.json"), "{\"license\": [1]");
    assertThat(origin(Map.of()).license()).isEqualTo("unknown");
    Files.writeString(folder.resolve("config.json"), "{\"num_classes\": 10}");
    assertThat(origin(Map.of("license", " ")).license()).isEqualTo("unknown");
  }

  @Test
  void of_digest_isThatOfTheBytes() throws IOException {
    // An empty file of weights: eight bytes of length, and {} filled up to eight.
    // printf '\\10\\0\\0\\0\\0\\0\\0\\0{}      ' | sha256sum
    assertThat(origin(Map.of()).fileSha256())
        .isEqualTo("9bbcbf73561f6bc5d0a17ea6a2081feed2d1304e87602d8c502d9a5c4bd85576");
  }
}
