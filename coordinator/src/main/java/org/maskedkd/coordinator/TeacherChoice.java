package org.maskedkd.coordinator;

import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.maskedkd.schedule.Dispatcher;

/**
 * Who gets the next micro-batch: the {@link Dispatcher}'s rule on estimated times. A teacher that
 * has not answered yet is tried as soon as it has nothing to do, and otherwise counts as fast as
 * the others on average. While none has answered the least loaded takes it.
 */
final class TeacherChoice {

  private TeacherChoice() {}

  /**
   * One of {@code ready}, with credit left, or null: then the micro-batch, and all behind it, has
   * to wait.
   *
   * @param ready the teachers that are there
   * @param samples of the micro-batches that wait, in order; at least one
   */
  static @Nullable TeacherLink next(List<TeacherLink> ready, int[] samples) {
    TeacherLink least = ready.stream().min(Comparator.comparingInt(TeacherLink::load)).orElse(null);
    if (least == null || least.load() == Dispatcher.CREDIT) {
      return null;
    }
    double usual =
        ready.stream()
            .mapToDouble(TeacherLink::secondsPerSample)
            .filter(Double::isFinite)
            .average()
            .orElse(Double.NaN);
    if (Double.isNaN(usual)) {
      return least;
    }
    double[] pace = new double[ready.size()];
    for (int i = 0; i < pace.length; i++) {
      double known = ready.get(i).secondsPerSample();
      if (Double.isNaN(known) && ready.get(i).load() == 0) {
        return ready.get(i);
      }
      pace[i] = Double.isNaN(known) ? usual : known;
    }
    Dispatcher dispatcher = new Dispatcher(pace);
    for (int i = 0; i < pace.length; i++) {
      dispatcher.occupied(i, ready.get(i).remainingSeconds(pace[i]), ready.get(i).load());
    }
    int chosen = dispatcher.choose(new Waiting(samples));
    return chosen == Dispatcher.HOLD ? null : ready.get(chosen);
  }

  /** Times count from now on; how long patches travel is not known. */
  // The array is only read, never compared.
  @SuppressWarnings("ArrayRecordComponent")
  private record Waiting(int[] samples) implements Dispatcher.Queue {
    @Override
    public int size() {
      return samples.length;
    }

    @Override
    public double arrival(int place) {
      return 0;
    }

    @Override
    public double work(int place) {
      return samples[place];
    }
  }
}
