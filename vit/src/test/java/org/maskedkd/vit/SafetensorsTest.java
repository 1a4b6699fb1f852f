package org.maskedkd.vit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class SafetensorsTest {

  @TempDir Path dir;

  @Test
  void write_twoTensors_givesTheBytesOfTheFormat() throws IOException {
    Path path = dir.resolve("a.safetensors");
    SafetensorsWriter.write(
        path,
        Map.of("k", "v"),
        List.of(
            SafetensorsWriter.Entry.floats(
                "z", SafetensorsType.F32, new long[] {2}, () -> new float[] {1, -2}),
            new SafetensorsWriter.Entry(
                "a",
                SafetensorsType.U8,
                new long[] {3, 1},
                () -> ByteBuffer.wrap(new byte[] {1, 2, -1}))));

    String header =
        "{\"__metadata__\":{\"k\":\"v\"},\"z\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
            + "\"a\":{\"dtype\":\"U8\",\"shape\":[3,1],\"data_offsets\":[8,11]}}";
    int padded = (header.length() + 7) / 8 * 8;
    ByteBuffer expected = ByteBuffer.allocate(8 + padded + 11).order(ByteOrder.LITTLE_ENDIAN);
    expected.putLong(padded).put((header + " ".repeat(padded - header.length())).getBytes(UTF_8));
    expected.putFloat(1).putFloat(-2).put((byte) 1).put((byte) 2).put((byte) -1);
    assertThat(Files.readAllBytes(path)).isEqualTo(expected.array());
    try (Stream<Path> files = Files.list(dir)) {
      assertThat(files).containsExactly(path);
    }
  }

  @Test
  void open_fileOfTheReferenceWriter_readsNamesShapesMetadataAndValues() throws IOException {
    try (SafetensorsFile file = SafetensorsFile.open(Golden.path("deit.input"))) {
      assertThat(file.names()).containsExactlyInAnyOrder("image", "label");
      assertThat(file.shape("image")).containsExactly(4, 3, 32, 32);
      assertThat(file.type("label")).isEqualTo(SafetensorsType.I64);
      assertThat(file.metadata()).containsEntry("k", "32");
      assertThat(file.readLongs("label")).hasSize(4);
      byte[] all = Files.readAllBytes(Golden.path("deit.input"));
      float[] image = file.readFloats("image");
      // The reference writer sorts by alignment, so the floats come last.
      ByteBuffer tail = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN);
      assertThat(image[image.length - 1]).isEqualTo(tail.getFloat(all.length - 4));
    }
  }

  @ParameterizedTest
  @CsvSource({"F32, 0", "F16, 0.00048829", "BF16, 0.0039063"})
  void readFloats_writtenAs_isWithinTheTypesRounding(SafetensorsType type, double relative)
      throws IOException {
    float[] values = new float[300_000]; // more than one window
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Math.sin(i) * 3 + 0.001f;
    }
    Path path = dir.resolve("t.safetensors");
    SafetensorsWriter.write(
        path,
        Map.of(),
        List.of(
            SafetensorsWriter.Entry.floats(
                "first", SafetensorsType.BF16, new long[] {1}, () -> new float[] {1}),
            SafetensorsWriter.Entry.floats("x", type, new long[] {3, 100_000}, () -> values)));
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      float[] read = file.readFloats("x");
      assertThat(read).hasSameSizeAs(values);
      for (int i = 0; i < read.length; i++) {
        assertThat(Math.abs(read[i] - values[i]))
            .isLessThanOrEqualTo(
                (float) (relative * Math.abs(values[i]) + (relative == 0 ? 0 : 6e-8)));
      }
      assertThat(file.metadata()).isEmpty();
    }
  }

  @Test
  void readFloats_tensorBeyondTwoGibibytes_isFoundByItsLongOffset() throws IOException {
    long hole = 5L << 30;
    String header =
        "{\"hole\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]},".formatted(hole, hole)
            + "\"last\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[%d,%d]}}"
                .formatted(hole, hole + 16);
    Path path = dir.resolve("sparse.safetensors");
    ByteBuffer values = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    values.putDouble(1.5).putDouble(-2.25).flip();
    try (FileChannel channel =
        FileChannel.open(
            path,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.SPARSE,
            StandardOpenOption.WRITE)) {
      channel.write(framed(header));
      channel.write(values, 8 + header.length() + hole);
    }
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertThat(file.readFloats("last")).containsExactly(1.5f, -2.25f);
      assertThatThrownBy(() -> file.readLongs("hole"))
          .isInstanceOf(WeightsException.class)
          .hasMessageContaining("more than one array holds");
    } finally {
      Files.delete(path);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[4,12]}} | 12 | begins at byte 4 of the data, expected 0",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'b':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}} | 4 | it overlaps",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}} | 4 | takes 8 bytes, but data_offsets [0, 4] hold 4",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}} | 4 | take 8 bytes, but 4 follow the header; the file is cut short",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}} | 9 | take 4 bytes, but 9 follow",
        "{'a':{'dtype':'F31','shape':[1],'data_offsets':[0,4]}} | 4 | dtype \"F31\"",
        "{'a':{'dtype':'F32','shape':[-1],'data_offsets':[0,4]}} | 4 | shape [-1]",
        "{'a':{'dtype':'F32','shape':[1.5],'data_offsets':[0,4]}} | 4 | shape [1.5]",
        "{'a':{'dtype':'F32','shape':[4611686018427387904],'data_offsets':[0,4]}} | 4 | more bytes than a file can hold",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[4,0]}} | 4 | begin <= end",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0]}} | 4 | [begin, end]",
        "{'a':{'dtype':'F32','data_offsets':[0,4]}} | 4 | no list of integers 'shape'",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}} | 4 | Duplicate",
        "{'__metadata__':{'k':1}} | 0 | metadata 'k' is 1, expected a string",
        "[1,2] | 0 | not a JSON object",
        "{'a': | 0 | not sound JSON",
      })
  void open_unsoundHeader_saysWhereAndWhatWasExpected(String header, int bytes, String message)
      throws IOException {
    Path path = dir.resolve("bad.safetensors");
    String json = header.strip().replace('\'', '"');
    ByteBuffer data = ByteBuffer.allocate(8 + json.length() + bytes);
    data.put(framed(json));
    Files.write(path, data.array());
    assertThatThrownBy(() -> SafetensorsFile.open(path))
        .isInstanceOf(WeightsException.class)
        .hasMessageContaining(message)
        .hasMessageContaining("bad.safetensors");
  }

  @Test
  void open_impossibleHeaderLength_isRefusedBeforeAnythingIsAllocated() throws IOException {
    Path path = dir.resolve("bad.safetensors");
    ByteBuffer length = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(path, length.putLong(0, 100_000_001).array());
    assertThatThrownBy(() -> SafetensorsFile.open(path))
        .hasMessageContaining("header length 100000001 is not between 2 and 100000000");
    Files.write(path, length.putLong(0, -1).array());
    assertThatThrownBy(() -> SafetensorsFile.open(path))
        .hasMessageContaining("18446744073709551615");
    Files.write(path, length.putLong(0, 9).array());
    assertThatThrownBy(() -> SafetensorsFile.open(path)).hasMessageContaining("cut short");
    Files.write(path, new byte[3]);
    assertThatThrownBy(() -> SafetensorsFile.open(path)).hasMessageContaining("3 bytes");
    assertThatThrownBy(() -> SafetensorsFile.open(dir.resolve("none")))
        .isInstanceOf(WeightsException.class)
        .hasMessageContaining("no such file");
  }

  @Test
  void readFloats_unknownNameOrOtherType_namesBoth() {
    try (SafetensorsFile file = SafetensorsFile.open(Golden.path("deit.input"))) {
      assertThatThrownBy(() -> file.readFloats("imgae")).hasMessageContaining("'image'");
      assertThatThrownBy(() -> file.readFloats("label"))
          .hasMessageContaining("'label' is I64, expected F32");
    }
  }

  @Test
  void write_failingSource_leavesTheOldFileAndNothingElse() throws IOException {
    Path path = dir.resolve("a.safetensors");
    Files.writeString(path, "old");
    assertThatThrownBy(
            () ->
                SafetensorsWriter.write(
                    path,
                    Map.of(),
                    List.of(
                        SafetensorsWriter.Entry.floats(
                            "x",
                            SafetensorsType.F32,
                            new long[] {1},
                            () -> {
                              throw new UncheckedIOException(new IOException("disk on fire"));
                            }))))
        .hasMessageContaining("disk on fire");
    assertThatThrownBy(
            () ->
                SafetensorsWriter.write(
                    path,
                    Map.of(),
                    List.of(
                        SafetensorsWriter.Entry.floats(
                            "x", SafetensorsType.F32, new long[] {2}, () -> new float[3]))))
        .hasMessageContaining("takes 8 bytes, but 12 were given");
    assertThat(Files.readString(path)).isEqualTo("old");
    try (Stream<Path> files = Files.list(dir)) {
      assertThat(files).containsExactly(path);
    }
  }

  private static ByteBuffer framed(String header) {
    ByteBuffer bytes = ByteBuffer.allocate(8 + header.length()).order(ByteOrder.LITTLE_ENDIAN);
    return bytes.putLong(header.length()).put(header.getBytes(UTF_8)).flip();
  }
}
