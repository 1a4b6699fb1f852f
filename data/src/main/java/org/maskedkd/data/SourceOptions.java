package org.maskedkd.data;

/**
 * How a set of images is opened.
 *
 * @param memoryLimitBytes the most that the images of one compressed archive may take in memory
 */
public record SourceOptions(OnCorrupt onCorrupt, Decoder decoder, long memoryLimitBytes) {
  private static final long ONE_GIB = 1L << 30;

  /**
   * Damaged images are errors, libturbojpeg where there is one, at most 1 GiB or half of the heap
   * in memory.
   */
  public static SourceOptions defaults() {
    long limit = Math.min(ONE_GIB, Runtime.getRuntime().maxMemory() / 2);
    return new SourceOptions(OnCorrupt.FAIL, Decoders.of(JpegLibrary.AUTO), limit);
  }

  public SourceOptions withOnCorrupt(OnCorrupt policy) {
    return new SourceOptions(policy, decoder, memoryLimitBytes);
  }

  public SourceOptions withDecoder(Decoder other) {
    return new SourceOptions(onCorrupt, other, memoryLimitBytes);
  }

  public SourceOptions withMemoryLimitBytes(long limit) {
    return new SourceOptions(onCorrupt, decoder, limit);
  }
}
