package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EpochOrderTest {
  private static final int[] SIZES = {7, 3, 5, 1, 6, 4, 8, 2, 5};
  private static final int IMAGES = 41;

  @TempDir private Path root;

  /** Shards of {@link #SIZES}, each picture of a colour of its own. */
  private ImageSource shards() throws IOException {
    int color = 0;
    for (int shard = 0; shard < SIZES.length; shard++) {
      Map<String, byte[]> members = new LinkedHashMap<>();
      for (int i = 0; i < SIZES[shard]; i++) {
        members.put(
            i + ".png", TestImages.encode(TestImages.flat(4, 4, 0x050301 * color++), "png"));
        members.put(i + ".cls", String.valueOf(i % 2).getBytes(StandardCharsets.UTF_8));
      }
      TestImages.tar(root.resolve("t-%d.tar".formatted(shard)), members);
    }
    return ImageSource.open("shards:t-{0..8}.tar", root);
  }

  private static TrainBatches batches(ImageSource source, int together) {
    return new TrainBatches(
        source, 5, 4, Augment.shiftsAndFlips(1), TestImages.MEAN, TestImages.STD, together, 11);
  }

  private static int[] draw(ImageSource source, int together, int epoch) {
    return new EpochOrder(source, together).draw(Draws.of(11, Draws.Stream.ORDER, epoch));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 8, 9, Integer.MAX_VALUE})
  void draw_anyNumberTogether_isEveryImageOnceAndAnotherOrderEachEpoch(int together)
      throws IOException {
    try (ImageSource source = shards()) {
      int[] first = draw(source, together, 0);
      int[] second = draw(source, together, 1);
      int[] sorted = first.clone();
      Arrays.sort(sorted);
      for (int i = 0; i < IMAGES; i++) {
        assertThat(sorted[i]).isEqualTo(i);
      }
      assertThat(first).hasSize(IMAGES).isNotEqualTo(second);
      assertThat(draw(source, together, 0)).isEqualTo(first);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void draw_fewTogether_goesThroughSoManyShardsAtATimeAndMixesThem(int together)
      throws IOException {
    try (ImageSource source = shards()) {
      int[] order = draw(source, together, 0);
      List<TreeSet<Integer>> groups = new ArrayList<>();
      int at = 0;
      while (at < order.length) {
        // A group is over when each of its shards has been seen whole.
        TreeSet<Integer> group = new TreeSet<>();
        int left = 1;
        int begin = at;
        while (left > 0) {
          group.add(source.shard(order[at++]));
          left = group.stream().mapToInt(s -> SIZES[s]).sum() - (at - begin);
        }
        groups.add(group);
      }
      assertThat(groups).allSatisfy(group -> assertThat(group).hasSizeLessThanOrEqualTo(together));
      assertThat(groups.stream().mapToInt(TreeSet::size).sum()).isEqualTo(SIZES.length);
      // Nine shards in their order, and the images within them, would be one draw of very many.
      assertThat(order).isNotEqualTo(draw(source, together, 2));
    }
  }

  @Test
  void draw_oneFile_isTheOrderThatItAlwaysWas() {
    List<Image> images = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      images.add(TestImages.indexed(2, 2, i));
    }
    int[] shuffled = new int[30];
    Arrays.setAll(shuffled, i -> i);
    Draws.of(11, Draws.Stream.ORDER, 4).shuffle(shuffled);

    assertThat(draw(TestImages.inMemory(images, 3), 8, 4)).isEqualTo(shuffled);
  }

  @Test
  void batch_afterAResume_isThatOfTheRunThatWentOn() throws IOException {
    try (ImageSource source = shards()) {
      TrainBatches through = batches(source, 2);
      List<Batch> all = new ArrayList<>();
      for (long step = 1; step <= 20; step++) {
        all.add(through.batch(step));
      }
      // The third and the seventh step are in the middle of an epoch of eight.
      for (int from : new int[] {3, 7, 12}) {
        try (ImageSource again = ImageSource.open("shards:t-{0..8}.tar", root)) {
          TrainBatches resumed = batches(again, 2);
          for (int step = from; step <= 20; step++) {
            BatchesTest.assertSame(resumed.batch(step), all.get(step - 1));
          }
        }
      }
    }
  }

  private static byte[] header(String name, long size) {
    TarArchiveEntry entry = new TarArchiveEntry(name);
    entry.setSize(size);
    byte[] block = new byte[512];
    entry.writeEntryHeader(block);
    return block;
  }

  @Test
  void open_largeShards_takesMemoryForWhereImagesAreAndNotForThem() throws IOException {
    long imageBytes = 200L << 20;
    byte[] label = Arrays.copyOf("1".getBytes(StandardCharsets.UTF_8), 512);
    for (int shard = 0; shard < 3; shard++) {
      // With holes, so that it takes no space on the disk.
      try (FileChannel file =
          FileChannel.open(
              root.resolve("large-%d.tar".formatted(shard)),
              StandardOpenOption.CREATE_NEW,
              StandardOpenOption.WRITE)) {
        long position = 0;
        for (int i = 0; i < 5; i++) {
          file.write(ByteBuffer.wrap(header(i + ".jpg", imageBytes)), position);
          position += 512 + imageBytes;
          file.write(ByteBuffer.wrap(header(i + ".cls", 1)), position);
          file.write(ByteBuffer.wrap(label), position + 512);
          position += 1024;
        }
        file.write(ByteBuffer.wrap(new byte[1024]), position);
      }
    }
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    SourceOptions options = SourceOptions.defaults();
    long before = threads.getCurrentThreadAllocatedBytes();

    try (ImageSource source = ImageSource.open("shards:large-{0..2}.tar", root, options)) {
      assertThat(source.size()).isEqualTo(15);
      assertThat(source.bytes(14)).isEqualTo(imageBytes);
    }
    assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(8L << 20);
  }
}
