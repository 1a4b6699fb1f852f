package org.maskedkd.coordinator;

import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherProfiled;
import org.maskedkd.runtime.ClockOffset;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Failures;
import org.maskedkd.runtime.RunException;

/**
 * The frozen teachers of a run, any number from 1 on, behind one queue. Micro-batches wait in index
 * order and none overtakes another. Whenever one joins them, a teacher answers, comes or goes,
 * {@link TeacherChoice} says who gets the first, or that it is held back for a faster teacher that
 * has its hands full; so a slow teacher gets fewer and does not sit on what others would be through
 * with sooner. What a lost teacher had goes back to the front, since the queue is ordered. The
 * first answer to a key counts; all others are dropped and counted. Event loop only.
 */
final class TeacherPool implements TeacherLink.Listener, AutoCloseable {

  /** A micro-batch that has brought down so many connections is not tried again. */
  private static final int MOST_TRIES = 5;

  /** How often teachers that say nothing are looked at. */
  private static final Duration STALL_CHECK = Duration.ofSeconds(1);

  private static final Comparator<MaskedWork> IN_ORDER =
      Comparator.comparingLong((MaskedWork w) -> w.key().getStep())
          .thenComparingInt(w -> w.key().getIndex());

  private final EventLoop loop;
  private final Patience patience;
  private final List<TeacherLink> links;
  private final Consumer<String> notices;
  private final PriorityQueue<MaskedWork> queue = new PriorityQueue<>(IN_ORDER);
  private final Map<MicroBatchKey, Integer> tries = new HashMap<>();
  private final Set<MicroBatchKey> submitted = new HashSet<>();
  private final Set<MicroBatchKey> answered = new HashSet<>();
  private Consumer<TeacherAnswer> answers = answer -> {};
  private @Nullable ModelInfo model;
  private String modelFrom = "";
  private EventLoop.@Nullable Timer lastTeacherGone;
  private long redone;
  private long duplicates;
  private long stale;
  private boolean closed;

  /**
   * @param notices gets what a person should know, a line each
   */
  TeacherPool(
      EventLoop loop,
      List<Peer> peers,
      OpenTeacher request,
      Patience patience,
      Consumer<String> notices) {
    this.loop = loop;
    this.patience = patience;
    this.notices = notices;
    this.links =
        IntStream.range(0, peers.size())
            .mapToObj(i -> new TeacherLink(loop, i, peers.get(i), request, patience, this))
            .toList();
  }

  /**
   * Connects to all teachers and waits until each is there, or, once patience is over, at least
   * one. When that was done before, nothing happens.
   *
   * @return what they have loaded, the same for all
   */
  ModelInfo open() {
    if (model != null) {
      return model;
    }
    expectTeacher();
    links.forEach(TeacherLink::connect);
    long began = loop.nanoTime();
    // The loop looks again when this fires.
    EventLoop.Timer over = loop.schedule(patience.teachers(), () -> {});
    loop.runUntil(
        () ->
            ready() == links.size()
                || (ready() > 0 && loop.nanoTime() - began >= patience.teachers().toNanos()));
    over.cancel();
    watchForStalls();
    if (model == null) {
      throw new IllegalStateException("a teacher is ready, but none was opened");
    }
    return model;
  }

  int ready() {
    return (int) links.stream().filter(l -> l.state() == TeacherLink.State.READY).count();
  }

  int size() {
    return links.size();
  }

  /** Micro-batches that no teacher has yet. */
  int waiting() {
    return queue.size();
  }

  /** Micro-batches that had to be computed again because their teacher was lost. */
  long redone() {
    return redone;
  }

  /** Answers that came when their micro-batch was already answered. */
  long duplicates() {
    return duplicates;
  }

  /** Answers to another run, attempt or step. */
  long stale() {
    return stale;
  }

  /**
   * Begins a step (or a probe): forgets the micro-batches before it, but not those of its own that
   * came ahead, and says who gets the answers from now on.
   */
  void begin(long step, Consumer<TeacherAnswer> newAnswers) {
    queue.removeIf(work -> work.key().getStep() < step);
    tries.keySet().removeIf(key -> key.getStep() < step);
    submitted.removeIf(key -> key.getStep() < step);
    answered.removeIf(key -> key.getStep() < step);
    answers = newAnswers;
    links.forEach(TeacherLink::stepEnded);
  }

  /** Forgets every micro-batch, of whatever step: the student is lost, and all begins anew. */
  void forget() {
    queue.clear();
    tries.clear();
    submitted.clear();
    answered.clear();
  }

  /** One more round trip to each teacher that is there. */
  void askClocks() {
    for (TeacherLink link : links) {
      if (link.state() == TeacherLink.State.READY) {
        link.clock().ask();
      }
    }
  }

  /** Of the teacher at this place. */
  ClockOffset clock(int teacher) {
    return links.get(teacher).clock().offset();
  }

  /**
   * Lets each teacher that is there time itself, one after another, so that they do not share a
   * processor meanwhile.
   *
   * @return by place in the pool
   */
  Map<Integer, TeacherProfiled> profile(ProfileTeacher request) {
    Map<Integer, TeacherProfiled> profiles = new LinkedHashMap<>();
    for (int i = 0; i < links.size(); i++) {
      TeacherLink link = links.get(i);
      if (link.state() != TeacherLink.State.READY) {
        continue;
      }
      int place = i;
      boolean[] over = {false};
      link.profile(
          request,
          new Reply<>(
              loop,
              reply -> {
                profiles.put(place, reply);
                over[0] = true;
              },
              failure -> {
                notices.accept(Failures.fromStatus(failure, link.name()).getMessage());
                over[0] = true;
              }));
      loop.runUntil(() -> over[0]);
    }
    return profiles;
  }

  void submit(MaskedWork work) {
    submitted.add(work.key());
    queue.add(work);
    dispatch();
  }

  private void dispatch() {
    while (!queue.isEmpty()) {
      List<TeacherLink> ready =
          links.stream().filter(l -> l.state() == TeacherLink.State.READY).toList();
      int[] samples = queue.stream().sorted(IN_ORDER).mapToInt(MaskedWork::samples).toArray();
      TeacherLink next = TeacherChoice.next(ready, samples);
      if (next == null) {
        return;
      }
      next.assign(queue.remove());
    }
  }

  @Override
  public void opened(TeacherLink link, TeacherOpened opened) {
    if (opened.getProtocolVersion() != Protocol.PROTOCOL_VERSION_VALUE) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          link.name()
              + " speaks protocol version "
              + opened.getProtocolVersion()
              + ", this coordinator "
              + Protocol.PROTOCOL_VERSION_VALUE
              + "; run the same release everywhere");
    }
    ModelInfo found = opened.getModel();
    if (model == null) {
      model = found;
      modelFrom = link.name();
      found.getNoticesList().forEach(notice -> notices.accept(link.name() + ": " + notice));
      return;
    }
    requireSame(link, "weights", model.getWeightsDigest(), found.getWeightsDigest());
    requireSame(link, "grid", model.getGrid(), found.getGrid());
    requireSame(link, "class count", model.getClasses(), found.getClasses());
  }

  private void requireSame(TeacherLink link, String what, Object expected, Object found) {
    if (!expected.equals(found)) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          String.format(
              "%s has the %s %s, but %s has %s; all teachers of a run must hold the same model",
              link.name(), what, oneLine(found), modelFrom, oneLine(expected)));
    }
  }

  private static String oneLine(Object value) {
    return value.toString().strip().replaceAll("\\s+", " ");
  }

  @Override
  public void ready(TeacherLink link) {
    if (lastTeacherGone != null) {
      lastTeacherGone.cancel();
      lastTeacherGone = null;
    }
    if (link.lastFailure() != null) {
      notices.accept(link.name() + " is there again");
    }
    dispatch();
  }

  @Override
  public void away(TeacherLink link, List<MaskedWork> work, RunException why) {
    if (work.isEmpty() && link.failures() == 1) {
      // The tries that follow would say the same again.
      notices.accept(why.getMessage() + "; trying again");
    } else if (!work.isEmpty()) {
      notices.accept(why.getMessage() + "; its " + work.size() + " micro-batches are done again");
    }
    for (MaskedWork lost : work) {
      if (!submitted.contains(lost.key())) {
        continue;
      }
      int count = tries.merge(lost.key(), 1, Integer::sum);
      if (count >= MOST_TRIES) {
        throw new RunException(
            ExitCode.INTERNAL,
            Keys.describe(lost.key())
                + " was lost "
                + count
                + " times, the last time: "
                + why.getMessage(),
            why);
      }
      redone++;
      queue.add(lost);
    }
    if (ready() == 0) {
      expectTeacher();
    }
    dispatch();
  }

  /** Ends the run unless a teacher is there before patience is over. */
  private void expectTeacher() {
    if (lastTeacherGone == null) {
      lastTeacherGone =
          loop.schedule(
              patience.teachers(),
              () -> {
                throw new RunException(
                    ExitCode.PEER_AWAY,
                    "no teacher for " + patience.teachers().toSeconds() + " s: " + reasons());
              });
    }
  }

  private String reasons() {
    return links.stream()
        .map(
            l -> {
              RunException why = l.lastFailure();
              return why == null ? l.name() + " has not answered" : why.getMessage();
            })
        .collect(Collectors.joining("; "));
  }

  @Override
  public void answered(TeacherLink link, TeacherAnswer answer) {
    if (submitted.contains(answer.key()) && answered.add(answer.key())) {
      answers.accept(answer);
    } else {
      unexpected(answer.key());
    }
    dispatch();
  }

  @Override
  public void unexpected(MicroBatchKey key) {
    if (answered.contains(key)) {
      duplicates++;
    } else {
      stale++;
    }
  }

  private void watchForStalls() {
    if (!closed) {
      links.forEach(TeacherLink::checkStalled);
      // What is held back for a teacher that has become slow since then need not be for ever.
      dispatch();
      loop.schedule(STALL_CHECK, this::watchForStalls);
    }
  }

  @Override
  public void close() {
    closed = true;
    links.forEach(TeacherLink::close);
  }
}
