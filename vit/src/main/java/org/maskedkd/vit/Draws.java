package org.maskedkd.vit;

import java.util.SplittableRandom;

/**
 * Random numbers that are a pure function of what they are for (seed, step, position, ...), so that
 * neither the order of the calls nor the cut into micro-batches can change them.
 */
final class Draws {

  private Draws() {}

  /** A generator of its own for this combination of keys. */
  static SplittableRandom of(long... keys) {
    long state = 0x6d61736b65646b64L;
    for (long key : keys) {
      state = mix(state ^ mix(key + 0x9e3779b97f4a7c15L));
    }
    return new SplittableRandom(state);
  }

  // The finaliser of SplitMix64: a bijection in which every input bit reaches every output bit.
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
