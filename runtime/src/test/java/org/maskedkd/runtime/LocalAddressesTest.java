package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class LocalAddressesTest {
  @TempDir private Path parent;

  @Test
  @EnabledOnOs(OS.LINUX)
  void of_socketFiles_liesInAFolderOfThisUserAloneThatGoesAtTheEnd() throws Exception {
    Path folder;
    try (LocalAddresses local = LocalAddresses.in(parent, /* socketFiles= */ true)) {
      Path socket = Path.of(local.of("student").substring("unix:".length()));
      folder = socket.getParent();
      assertThat(folder).hasParent(parent);
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)))
          .isEqualTo("rwx------");
      assertThat(local.of("teacher-0")).isNotEqualTo(local.of("student"));
      try (StageServer served = StageServer.listen(local.of("student")).start()) {
        assertThat(served.address()).isEqualTo("unix:" + socket);
      }
      Files.writeString(socket, "as a killed stage leaves it");
    }
    assertThat(folder).doesNotExist();
  }

  @Test
  void of_systemWithoutSocketFiles_isAFreePortOfLoopback() {
    try (LocalAddresses local = LocalAddresses.in(parent, /* socketFiles= */ false)) {
      assertThat(local.of("student")).isEqualTo("127.0.0.1:0");
    }
    assertThat(parent).isEmptyDirectory();
  }

  @Test
  void of_pathTooLongForSocketFiles_isAFreePortOfLoopback() throws Exception {
    Path deep = Files.createDirectories(parent.resolve("d".repeat(60)).resolve("e".repeat(60)));
    try (LocalAddresses local = LocalAddresses.in(deep, /* socketFiles= */ true)) {
      assertThat(local.of("student")).isEqualTo("127.0.0.1:0");
    }
    assertThat(deep).isEmptyDirectory();
  }

  @Test
  void of_noFolderForSocketFiles_isAFreePortOfLoopback() {
    try (LocalAddresses local =
        LocalAddresses.in(parent.resolve("none"), /* socketFiles= */ true)) {
      assertThat(local.of("student")).isEqualTo("127.0.0.1:0");
    }
  }
}
