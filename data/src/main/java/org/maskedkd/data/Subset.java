package org.maskedkd.data;

import java.util.Arrays;
import java.util.List;

/** A share of a source, in its order and with all its classes. */
public final class Subset implements ImageSource {
  private final ImageSource source;
  private final int[] chosen;

  private Subset(ImageSource source, int[] chosen) {
    this.source = source;
    this.chosen = chosen;
  }

  /**
   * A seeded choice of {@code count} images with as many of each class as there are, give or take
   * one. A larger choice contains the smaller one of the same seed.
   *
   * @param source owned by the result, which closes it
   * @param count 0, or as many as there are and more, for all
   */
  public static ImageSource balanced(ImageSource source, int count, long seed) {
    if (count < 0) {
      throw new IllegalArgumentException("a limit of " + count + " images; 0 is for all");
    }
    if (count == 0 || count >= source.size()) {
      return source;
    }
    int classes = source.classes().size();
    int[] sizes = new int[classes];
    for (int i = 0; i < source.size(); i++) {
      sizes[source.label(i)]++;
    }
    int[][] members = new int[classes][];
    Arrays.setAll(members, c -> new int[sizes[c]]);
    for (int i = source.size() - 1; i >= 0; i--) {
      int label = source.label(i);
      members[label][--sizes[label]] = i;
    }
    for (int c = 0; c < classes; c++) {
      Draws.of(seed, Draws.Stream.SUBSET, c).shuffle(members[c]);
    }
    int[] turn = new int[classes];
    Arrays.setAll(turn, c -> c);
    Draws.of(seed, Draws.Stream.SUBSET, classes).shuffle(turn);
    return new Subset(source, deal(members, turn, count));
  }

  /** One of each class in turn, round after round. */
  private static int[] deal(int[][] members, int[] turn, int count) {
    int[] chosen = new int[count];
    int taken = 0;
    for (int round = 0; taken < count; round++) {
      for (int i = 0; i < turn.length && taken < count; i++) {
        int[] own = members[turn[i]];
        if (round < own.length) {
          chosen[taken++] = own[round];
        }
      }
    }
    Arrays.sort(chosen);
    return chosen;
  }

  @Override
  public int size() {
    return chosen.length;
  }

  @Override
  public List<String> classes() {
    return source.classes();
  }

  @Override
  public int label(int index) {
    return source.label(chosen[index]);
  }

  @Override
  public int shard(int index) {
    return source.shard(chosen[index]);
  }

  @Override
  public String name(int index) {
    return source.name(chosen[index]);
  }

  @Override
  public long bytes(int index) {
    return source.bytes(chosen[index]);
  }

  @Override
  public Image decode(int index) {
    return source.decode(chosen[index]);
  }

  @Override
  public String fingerprint() {
    return Digests.derived(source.fingerprint(), Digests.of(this));
  }

  @Override
  public long skipped() {
    return source.skipped();
  }

  @Override
  public void close() {
    source.close();
  }
}
