package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CifarTest {
  private static final int PIXELS = 3 * 32 * 32;
  private static final List<String> TEN =
      List.of(
          "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck");

  @TempDir private Path root;

  private static byte[] pixels(int salt) {
    return TestImages.indexed(32, 32, salt).rgb();
  }

  /** A file with pictures of these labels, the salt of each being its place plus {@code salt}. */
  private static byte[] records(int salt, int... labels) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (int i = 0; i < labels.length; i++) {
      out.write(labels[i]);
      out.writeBytes(pixels(salt + i));
    }
    return out.toByteArray();
  }

  private static byte[] lines(List<String> lines) {
    return (String.join("\n", lines) + "\n\n").getBytes(StandardCharsets.UTF_8);
  }

  private static Map<String, byte[]> ten() {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("batches.meta.txt", lines(TEN));
    for (int i = 1; i <= 5; i++) {
      files.put("data_batch_" + i + ".bin", records(10 * i, i, 9));
    }
    files.put("readme.html", new byte[7]);
    files.put("test_batch.bin", records(100, 6, 0, 6));
    return files;
  }

  /** As the folder {@code set} or as an archive of a folder, by the ending. */
  private String write(String name, Map<String, byte[]> files) throws IOException {
    if (name.contains(".t")) {
      Map<String, byte[]> members = new LinkedHashMap<>();
      files.forEach((file, bytes) -> members.put("cifar-batches-bin/" + file, bytes));
      TestImages.tar(root.resolve(name), members);
    } else {
      Files.createDirectories(root.resolve(name));
      for (Map.Entry<String, byte[]> file : files.entrySet()) {
        Files.write(root.resolve(name).resolve(file.getKey()), file.getValue());
      }
    }
    return "cifar:" + name;
  }

  @ParameterizedTest
  @ValueSource(strings = {"set", "set.tar", "set.tar.gz"})
  void open_cifar10_isItsRecordsInOrder(String name) throws IOException {
    String spec = write(name, ten());

    try (ImageSource train = ImageSource.open(spec + "!train", root);
        ImageSource test = ImageSource.open(spec + "!test", root)) {
      assertThat(train.classes()).isEqualTo(TEN);
      assertThat(train.size()).isEqualTo(10);
      assertThat(train.label(5)).isEqualTo(9);
      assertThat(train.name(4)).isEqualTo("cat/data_batch_3.bin#0");
      assertThat(train.decode(4).rgb()).isEqualTo(pixels(30));
      assertThat(train.decode(9).rgb()).isEqualTo(pixels(51));
      assertThat(train.bytes(0)).isEqualTo(PIXELS);
      assertThat(test.size()).isEqualTo(3);
      assertThat(test.name(2)).isEqualTo("frog/test_batch.bin#2");
      assertThat(test.decode(2).rgb()).isEqualTo(pixels(102));
      ImageSource.requireSameClasses(train, test);
      assertThat(train.fingerprint()).isNotEqualTo(test.fingerprint());
    }
  }

  @Test
  void open_folderAndArchive_haveOneFingerprint() throws IOException {
    String spec = write("set", ten());
    String packed = write("set.tgz", ten());

    try (ImageSource folder = ImageSource.open(spec + "!train", root);
        ImageSource archive = ImageSource.open(packed + "!train", root)) {
      assertThat(archive.fingerprint()).isEqualTo(folder.fingerprint());
    }
  }

  @Test
  void open_cifar100_hasTheFineLabels() throws IOException {
    List<String> names = new java.util.ArrayList<>();
    for (int i = 0; i < 100; i++) {
      names.add("class%02d".formatted(i));
    }
    ByteArrayOutputStream records = new ByteArrayOutputStream();
    for (int i = 0; i < 300; i++) {
      records.write(i % 20);
      records.write(i % 100);
      records.writeBytes(pixels(i));
    }
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("coarse_label_names.txt", lines(TEN));
    files.put("fine_label_names.txt", lines(names));
    files.put("train.bin", records.toByteArray());
    String spec = write("hundred.tar", files);

    try (ImageSource train = ImageSource.open(spec + "!train", root)) {
      assertThat(train.classes()).isEqualTo(names);
      assertThat(train.name(299)).isEqualTo("class99/train.bin#299");
      assertThat(train.decode(299).rgb()).isEqualTo(pixels(299));
    }
  }

  private void refused(Map<String, byte[]> files, String... messages) throws IOException {
    for (String name : List.of("bad.tar", "bad.tar.gz")) {
      String spec = write(name, files);
      assertThatThrownBy(() -> ImageSource.open(spec + "!train", root))
          .isInstanceOf(DataException.class)
          .hasMessageContaining(name)
          .hasMessageContainingAll(messages);
    }
  }

  @Test
  void open_labelThatThereIsNot_namesFileAndPlace() throws IOException {
    Map<String, byte[]> files = ten();
    files.put("data_batch_4.bin", records(0, 1, 10, 2));
    refused(files, "data_batch_4.bin#1", "label 10", "0 to 9");
  }

  @Test
  void open_fileOfOtherThanWholeRecords_namesIt() throws IOException {
    Map<String, byte[]> files = ten();
    files.put("data_batch_2.bin", new byte[2 * 3073 - 1]);
    refused(files, "data_batch_2.bin", "6145 bytes", "3073");
    files.put("data_batch_2.bin", new byte[0]);
    refused(files, "data_batch_2.bin", "0 bytes");
  }

  @Test
  void open_filesMissingOrOfBothSets_saysSo() throws IOException {
    Map<String, byte[]> files = ten();
    files.remove("data_batch_5.bin");
    refused(files, "lacks data_batch_5.bin");
    files = ten();
    files.remove("batches.meta.txt");
    refused(files, "lacks batches.meta.txt");
    files = ten();
    files.put("train.bin", new byte[3074]);
    refused(files, "both");
    refused(Map.of("x", new byte[1]), "neither", "data_batch_1.bin", "train.bin");
  }

  @Test
  void open_namesOfOtherClasses_areRefused() throws IOException {
    Map<String, byte[]> files = ten();
    files.put("batches.meta.txt", lines(TEN.subList(1, 10)));
    refused(files, "batches.meta.txt", "9 names", "10");
  }

  @Test
  void open_moreThanMayBeHeld_saysToUnpackIt() throws IOException {
    String spec = write("set.tgz", ten());
    SourceOptions small = SourceOptions.defaults().withMemoryLimitBytes(10_000);

    assertThatThrownBy(() -> ImageSource.open(spec + "!train", root, small))
        .isInstanceOf(DataException.class)
        .hasMessageContainingAll("set.tgz", "10000 bytes", "gunzip");
  }

  @ParameterizedTest
  @ValueSource(strings = {"set", "set!", "set!val"})
  void open_noSplit_saysWhichThereAre(String spec) throws IOException {
    write("set", ten());
    assertThatThrownBy(() -> ImageSource.open("cifar:" + spec, root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("cifar:PATH!train");
  }

  @Test
  void open_nothingThereOrOutside_isRefused() throws IOException {
    assertThatThrownBy(() -> ImageSource.open("cifar:none!train", root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("neither a folder nor");
    assertThatThrownBy(() -> ImageSource.open("cifar:../x!train", root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("outside the data root");
  }

  @Test
  void decode_fileThatHasBecomeShorter_isACorruptImage() throws IOException {
    String spec = write("set", ten());
    try (ImageSource train = ImageSource.open(spec + "!train", root)) {
      Path file = root.resolve("set/data_batch_1.bin");
      Files.write(file, Arrays.copyOf(Files.readAllBytes(file), 4000));

      assertThat(train.decode(0).rgb()).isEqualTo(pixels(10));
      assertThatThrownBy(() -> train.decode(1))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("data_batch_1.bin#1");
    }
  }
}
