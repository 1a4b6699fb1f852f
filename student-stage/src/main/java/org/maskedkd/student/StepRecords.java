package org.maskedkd.student;

import java.util.ArrayList;
import java.util.List;
import org.maskedkd.proto.v1.StepRecord;

/** The records of the steps that no checkpoint covers yet, in order. Thread-safe. */
final class StepRecords {
  private static final int MOST = 100_000;

  private final List<StepRecord> records = new ArrayList<>();

  /** Of the step after the newest one. Whoever asks for no checkpoint cannot have them all. */
  synchronized void add(StepRecord record) {
    records.add(record);
    if (records.size() > MOST) {
      records.subList(0, records.size() / 2).clear();
    }
  }

  synchronized void clear() {
    records.clear();
  }

  /**
   * All of them, or the newest ones if they do not all fit.
   *
   * @param most bytes, as fields of a message
   */
  synchronized List<StepRecord> newest(int most) {
    long bytes = 0;
    int first = records.size();
    while (first > 0) {
      bytes += records.get(first - 1).getSerializedSize() + 8L;
      if (bytes > most) {
        break;
      }
      first--;
    }
    return List.copyOf(records.subList(first, records.size()));
  }
}
