package org.maskedkd.data;

import java.util.Arrays;

/**
 * In what order an epoch shows the images of a source. Those of shards are not read from anywhere
 * at any time: the shards are shuffled, and then the images of so many shards at a time with each
 * other. The whole order follows from the draws, so that it can be entered at any place.
 */
final class EpochOrder {
  private final int[] starts;
  private final int together;

  /**
   * @param together shards whose images are shuffled with each other; 0 for all
   */
  EpochOrder(ImageSource source, int together) {
    int[] found = new int[source.size() + 1];
    int shards = 0;
    for (int i = 0; i < source.size(); i++) {
      if (i == 0 || source.shard(i) != source.shard(i - 1)) {
        found[shards++] = i;
      }
    }
    found[shards] = source.size();
    this.starts = Arrays.copyOf(found, shards + 1);
    this.together = together == 0 ? shards : Math.min(together, shards);
  }

  /** Every image's index once. */
  int[] draw(Draws draws) {
    int[] shards = new int[starts.length - 1];
    Arrays.setAll(shards, i -> i);
    draws.shuffle(shards, 0, shards.length);
    int[] order = new int[starts[shards.length]];
    int filled = 0;
    for (int first = 0; first < shards.length; first += together) {
      int from = filled;
      for (int i = first; i < Math.min(first + together, shards.length); i++) {
        for (int index = starts[shards[i]]; index < starts[shards[i] + 1]; index++) {
          order[filled++] = index;
        }
      }
      draws.shuffle(order, from, filled);
    }
    return order;
  }
}
