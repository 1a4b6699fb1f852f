package org.maskedkd.data;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts the next sound image of the same class, in the order of the source and around its end, in a
 * damaged one's place.
 */
final class SkippingSource implements ImageSource {
  private static final Logger log = LoggerFactory.getLogger(SkippingSource.class);

  private final ImageSource source;
  private final Map<Integer, Integer> standIns = new ConcurrentHashMap<>();

  SkippingSource(ImageSource source) {
    this.source = source;
  }

  @Override
  public Image decode(int index) {
    int candidate = standIns.getOrDefault(index, index);
    try {
      return source.decode(candidate);
    } catch (CorruptImageException e) {
      return standIn(index, e);
    }
  }

  private Image standIn(int index, CorruptImageException first) {
    int size = source.size();
    for (int step = 1; step < size; step++) {
      int candidate = (index + step) % size;
      if (source.label(candidate) != source.label(index)) {
        continue;
      }
      try {
        Image image = source.decode(candidate);
        if (standIns.put(index, candidate) == null) {
          log.warn(
              "{}: skipped, {} stands in for it ({})",
              source.name(index),
              source.name(candidate),
              first.getMessage());
        }
        return image;
      } catch (CorruptImageException e) {
        log.debug("{} cannot stand in either", source.name(candidate), e);
      }
    }
    throw new DataException(
        "no image of class %s can be decoded".formatted(source.classes().get(source.label(index))),
        first);
  }

  @Override
  public long skipped() {
    return standIns.size();
  }

  @Override
  public int size() {
    return source.size();
  }

  @Override
  public List<String> classes() {
    return source.classes();
  }

  @Override
  public int label(int index) {
    return source.label(index);
  }

  @Override
  public int shard(int index) {
    return source.shard(index);
  }

  @Override
  public String name(int index) {
    return source.name(index);
  }

  @Override
  public long bytes(int index) {
    return source.bytes(index);
  }

  @Override
  public String fingerprint() {
    return source.fingerprint();
  }

  @Override
  public void close() {
    source.close();
  }
}
