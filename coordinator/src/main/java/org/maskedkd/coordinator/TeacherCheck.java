package org.maskedkd.coordinator;

import java.util.HashMap;
import java.util.Map;
import org.maskedkd.proto.v1.Probe;

/**
 * Measures the teachers on evaluation images before anything is learned from them: wrong weights,
 * classes in another order and wrong input statistics show here, and nowhere else so early. Event
 * loop only.
 */
final class TeacherCheck {

  /**
   * What came of it.
   *
   * @param top1 share of the images whose class was the teacher's strongest
   */
  record Accuracy(int images, double top1, double seconds) {}

  private final EventLoop loop;
  private final StudentLink student;
  private final TeacherPool pool;
  private final ForwardedInbox inbox;
  private final int classes;
  private final Map<Integer, ForwardedBatch> pending = new HashMap<>();
  private int images;
  private int correct;

  TeacherCheck(
      EventLoop loop, StudentLink student, TeacherPool pool, ForwardedInbox inbox, int classes) {
    this.loop = loop;
    this.student = student;
    this.pool = pool;
    this.inbox = inbox;
    this.classes = classes;
  }

  /** The teachers' accuracy when they see {@code probe.getKeep()} of the patches. */
  Accuracy measure(Probe probe) {
    images = 0;
    correct = 0;
    pending.clear();
    inbox.clear();
    pool.begin(/* step= */ 0, this::answered);
    long began = loop.nanoTime();
    ProbePass.run(student, inbox, probe, "the teacher check", this::forwarded);
    loop.runUntil(pending::isEmpty);
    return new Accuracy(
        images, images == 0 ? 0 : (double) correct / images, (loop.nanoTime() - began) / 1e9);
  }

  private void forwarded(ForwardedBatch micro) {
    if (micro.work() != null) {
      pending.put(micro.key().getIndex(), micro);
      pool.submit(micro.work());
    }
  }

  private void answered(TeacherAnswer answer) {
    ForwardedBatch micro = pending.remove(answer.key().getIndex());
    if (micro == null) {
      throw new IllegalStateException("a signal without its forward: " + answer.key());
    }
    for (int from = 0; from < answer.logits().length; from += classes) {
      int label = LossFunction.strongest(micro.target(), from, classes);
      correct += LossFunction.strongest(answer.logits(), from, classes) == label ? 1 : 0;
      images++;
    }
  }
}
