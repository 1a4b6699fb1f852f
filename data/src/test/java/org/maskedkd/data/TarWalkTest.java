package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.zip.ZipEncodingHelper;
import org.apache.commons.compress.compressors.gzip.GzipCompressorOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TarWalkTest {
  @TempDir private Path folder;

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static Map<String, byte[]> members() {
    Map<String, byte[]> members = new LinkedHashMap<>();
    members.put("a/1.cls", bytes("3"));
    members.put("b/" + "long".repeat(60) + "-é.jpg", new byte[1000]);
    members.put("empty", new byte[0]);
    members.put("whole-block", new byte[512]);
    return members;
  }

  private List<String> walk(Path archive) throws IOException {
    List<String> seen = new ArrayList<>();
    try (TarWalk tar = new TarWalk(archive)) {
      for (TarArchiveEntry entry; (entry = tar.next()) != null; ) {
        seen.add(entry.getName() + "=" + Arrays.hashCode(tar.read(entry)));
      }
    }
    return seen;
  }

  @ParameterizedTest
  @CsvSource({"set.tar, 2", "set.tar, 3", "set.tgz, 2", "set.tgz, 3"})
  void next_longNamesOfEitherKind_isWhatTheLibraryReads(String name, int longNames)
      throws IOException {
    ByteArrayOutputStream plain = new ByteArrayOutputStream();
    try (var tar = new TarArchiveOutputStream(plain, "UTF-8")) {
      tar.setLongFileMode(longNames);
      for (Map.Entry<String, byte[]> member : members().entrySet()) {
        TarArchiveEntry entry = new TarArchiveEntry(member.getKey());
        entry.setSize(member.getValue().length);
        tar.putArchiveEntry(entry);
        tar.write(member.getValue());
        tar.closeArchiveEntry();
      }
    }
    Path file = folder.resolve(name);
    try (OutputStream out = Files.newOutputStream(file);
        OutputStream packed = name.endsWith("gz") ? new GzipCompressorOutputStream(out) : out) {
      packed.write(plain.toByteArray());
    }

    List<String> library = new ArrayList<>();
    try (var in =
        new TarArchiveInputStream(new ByteArrayInputStream(plain.toByteArray()), "UTF-8")) {
      for (TarArchiveEntry entry; (entry = in.getNextEntry()) != null; ) {
        library.add(entry.getName() + "=" + Arrays.hashCode(in.readAllBytes()));
      }
    }
    assertThat(walk(file)).isEqualTo(library).hasSize(4);
  }

  /** A header of so many bytes, its checksum right. */
  private static byte[] header(String name, byte type, long size) throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name, type);
    entry.setSize(size);
    byte[] block = new byte[512];
    entry.writeEntryHeader(block, ZipEncodingHelper.getZipEncoding("UTF-8"), /* starMode= */ true);
    return block;
  }

  private Path file(String name, byte[]... blocks) throws IOException {
    Path file = folder.resolve(name);
    try (OutputStream out = Files.newOutputStream(file);
        OutputStream packed = name.endsWith("gz") ? new GzipCompressorOutputStream(out) : out) {
      for (byte[] block : blocks) {
        packed.write(block);
      }
    }
    return file;
  }

  @ParameterizedTest
  @ValueSource(strings = {"x.tar", "x.tar.gz"})
  void next_nameSaidToHaveGigabytes_isRefusedUnread(String name) throws IOException {
    for (byte type : new byte[] {'L', 'K', 'x', 'g'}) {
      byte[] lie = header("././@LongLink", type, 8_000_000_000L);
      // Of those that are read, none of this size is; what is passed over is not there.
      assertThatThrownBy(() -> walk(file(name, lie, new byte[4096])))
          .isInstanceOf(IOException.class);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"x.tar", "x.tar.gz"})
  void next_memberSaidToBeLargerThanTheFile_isNoEndlessWalk(String name) throws IOException {
    for (long size : new long[] {513, 8_000_000_000L, Long.MAX_VALUE}) {
      assertThatThrownBy(
              () -> {
                try (TarWalk tar =
                    new TarWalk(file(name, header("a.jpg", (byte) '0', size), new byte[512]))) {
                  while (tar.next() != null) {
                    // Without reading the content.
                  }
                }
              })
          .isInstanceOf(IOException.class);
    }
  }

  @Test
  void next_extendedHeaderOfNonsense_isRefused() throws IOException {
    for (String pax :
        List.of(
            "99 path=x\n",
            "5 path",
            "0 path=x\n",
            "9 path=xyz",
            "path=x\n",
            "12 size=abc\n",
            "11 size=-5\n")) {
      byte[] content = Arrays.copyOf(bytes(pax), 512);
      assertThatThrownBy(
              () ->
                  walk(
                      file(
                          "x.tar",
                          header("pax", (byte) 'x', pax.length()),
                          content,
                          header("a", (byte) '0', 0),
                          new byte[1024])))
          .as(pax)
          .isInstanceOf(IOException.class);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"x.tar", "x.tar.gz"})
  void next_cutAnywhere_isRefused(String name) throws IOException {
    Path whole = TestImages.tar(folder.resolve("whole.tar"), members());
    byte[] all = Files.readAllBytes(whole);
    // The writer fills up to a multiple of ten blocks with zeros, the end mark being two of them.
    int end = all.length;
    while (all[end - 1] == 0) {
      end--;
    }
    int lastMember = (end + 511) / 512 * 512 + 512;
    for (int cut = 0; cut < lastMember; cut += 100) {
      Path file = file(name, Arrays.copyOf(all, cut));
      assertThatThrownBy(() -> walk(file)).as("cut at %d", cut).isInstanceOf(IOException.class);
    }
  }

  @Test
  void next_bytesOfChance_areRefusedAndDoNoHarm() throws IOException {
    byte[] all = Files.readAllBytes(TestImages.tar(folder.resolve("whole.tar"), members()));
    SplittableRandom random = new SplittableRandom(7);
    int refused = 0;
    for (int i = 0; i < 300; i++) {
      byte[] damaged = all.clone();
      for (int j = 0; j < 3; j++) {
        damaged[random.nextInt(5 * 512)] = (byte) random.nextInt();
      }
      try {
        walk(file("x.tar", damaged));
      } catch (IOException e) {
        refused++;
      }
    }
    assertThat(refused).as("seed 7").isGreaterThan(200);
  }
}
