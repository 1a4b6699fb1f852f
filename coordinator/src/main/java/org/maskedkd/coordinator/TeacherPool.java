package org.maskedkd.coordinator;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherProfiled;
import org.maskedkd.runtime.ClockOffset;
import org.maskedkd.runtime.RunException;

/**
 * The frozen teachers of a run, any number from 1 on, which may come and go, behind one queue.
 * Micro-batches wait in index order and none overtakes another. Whenever one joins them, a teacher
 * answers, comes or goes, {@link TeacherChoice} says who gets the first, or that it is held back
 * for a faster teacher that has its hands full; so a slow teacher gets fewer and does not sit on
 * what others would be through with sooner. What a lost or late teacher had goes back to the front,
 * since the queue is ordered. Event loop only.
 */
final class TeacherPool implements TeacherLink.Listener, AutoCloseable {

  private final EventLoop loop;
  private final TeacherPeers peers;
  private final OpenTeacher request;
  private final Patience patience;
  private final Notices notices;
  private final TeacherMatch match;
  private final TeacherAbsence absence;
  private final NameWatch names;
  private final TeacherWatch watch;
  private final Map<Integer, TeacherLink> links = new TreeMap<>();

  /** The teachers of each name whose addresses were found, by address. */
  private final Map<PeerName, Map<String, TeacherLink>> named = new LinkedHashMap<>();

  /** Why a name has no addresses. */
  private final Map<PeerName, String> nameless = new HashMap<>();

  private final Map<TeacherLink, String> refusals = new HashMap<>();

  /** Places below {@link #places} that nobody has, and those of which this step may still speak. */
  private final TreeSet<Integer> free = new TreeSet<>();

  private final List<Integer> vacated = new ArrayList<>();
  private int places;
  private final MaskedQueue queue;
  private final AnswerTimes times = new AnswerTimes();
  private final RunMetrics metrics;
  private final SharedGpus gpus;
  private Consumer<TeacherAnswer> answers = answer -> {};
  private boolean started;

  /**
   * @param deterministic whether all teachers must have the same numerics
   * @param notices gets what a person should know, a line each
   */
  TeacherPool(
      EventLoop loop,
      TeacherPeers peers,
      OpenTeacher request,
      boolean deterministic,
      Patience patience,
      Notices notices,
      RunState state,
      RunMetrics metrics,
      SharedGpus gpus) {
    this.loop = loop;
    this.peers = peers;
    this.request = request;
    this.patience = patience;
    this.notices = notices;
    this.metrics = metrics;
    this.gpus = gpus;
    this.queue = new MaskedQueue(metrics);
    this.match = new TeacherMatch(deterministic, notices);
    this.absence =
        new TeacherAbsence(loop, patience, this::reasons, this::nothingToDo, notices, state);
    this.names = new NameWatch(loop, patience.resolve(), this::found, this::unknown);
    this.watch = new TeacherWatch(loop, patience.hedgeFraction(), this);
    peers.listed().forEach(this::join);
  }

  private TeacherLink join(Peer peer) {
    @Nullable Integer vacant = free.pollFirst();
    int place = vacant == null ? places++ : vacant;
    TeacherLink link = new TeacherLink(loop, place, peer, request, patience, this);
    links.put(place, link);
    metrics.teacher(place, /* works= */ false);
    return link;
  }

  /**
   * Connects to all teachers and waits until each is there, or, once patience is over, at least
   * one. When that was done before, nothing happens.
   *
   * @return what they have loaded, the same for all
   */
  ModelInfo open() {
    if (!started) {
      absence.begin();
      List.copyOf(links.values()).forEach(TeacherLink::connect);
      names.begin(peers.named());
      long began = loop.nanoTime();
      // The loop looks again when this fires.
      EventLoop.Timer over = loop.schedule(patience.teachers(), () -> {});
      loop.runUntil(
          () ->
              ready() > 0
                  && (allThere() || loop.nanoTime() - began >= patience.teachers().toNanos()));
      over.cancel();
      started = true;
      watch.begin();
    }
    ModelInfo model = match.model();
    if (model == null) {
      throw new IllegalStateException("a teacher is ready, but none was opened");
    }
    return model;
  }

  private boolean allThere() {
    return ready() == links.size() && named.size() + nameless.size() == peers.named().size();
  }

  /** How the teachers compute. */
  Numerics numerics() {
    return match.numerics();
  }

  private List<TeacherLink> serving() {
    return links.values().stream().filter(l -> l.state() == TeacherLink.State.READY).toList();
  }

  int ready() {
    return serving().size();
  }

  /** Places of teachers; some may be vacant. */
  int size() {
    return places;
  }

  /** Places of teachers that have left for good. */
  List<Integer> vacant() {
    return IntStream.range(0, places).filter(place -> !links.containsKey(place)).boxed().toList();
  }

  /** Micro-batches that no teacher has yet. */
  int waiting() {
    return queue.size();
  }

  /** Micro-batches that were given out again because their teacher was lost or late. */
  long redone() {
    return queue.redone();
  }

  /** Micro-batches that went to a second teacher before the first one's deadline was over. */
  long hedged() {
    return queue.hedged();
  }

  /** Answers that came when their micro-batch was already answered. */
  long duplicates() {
    return queue.duplicates();
  }

  /** Answers to another run, attempt or step. */
  long stale() {
    return queue.stale();
  }

  /**
   * Begins a step (or a probe): forgets the micro-batches before it, but not those of its own that
   * came ahead, and says who gets the answers from now on.
   */
  void begin(long step, Consumer<TeacherAnswer> newAnswers) {
    queue.begin(step);
    times.begin(step);
    free.addAll(vacated);
    vacated.clear();
    answers = newAnswers;
    links.values().forEach(TeacherLink::stepEnded);
    show();
  }

  /** Forgets every micro-batch, of whatever step: the student is lost, and all begins anew. */
  void forget() {
    queue.forget();
    times.forget();
    show();
  }

  /** One more round trip to each teacher that is there. */
  void askClocks() {
    serving().forEach(link -> link.clock().ask());
  }

  /** Of the teacher at this place; one that knows nothing where there is none. */
  ClockOffset clock(int place) {
    TeacherLink link = links.get(place);
    return link == null ? new ClockOffset() : link.clock().offset();
  }

  /** What times of the teachers that are there may be wrong by, in seconds. */
  double clockError() {
    return serving().stream()
        .mapToDouble(link -> link.clock().offset().errorSeconds())
        .max()
        .orElse(0);
  }

  /**
   * Lets each teacher that is there time itself, one after another, so that they do not share a
   * processor meanwhile.
   *
   * @return by place in the pool
   */
  Map<Integer, TeacherProfiled> profile(ProfileTeacher request) {
    TeacherTimes times = new TeacherTimes(loop, notices);
    for (TeacherLink link : List.copyOf(links.values())) {
      if (link.state() == TeacherLink.State.READY) {
        times.ask(link, request, () -> false);
        times.finish();
      }
    }
    return times.finish();
  }

  /**
   * Lets all teachers that are there time themselves at once.
   *
   * @param again asked by each after each answer whether it should go on
   */
  TeacherTimes profileTogether(ProfileTeacher request, BooleanSupplier again) {
    TeacherTimes times = new TeacherTimes(loop, notices);
    for (TeacherLink link : List.copyOf(links.values())) {
      if (link.state() == TeacherLink.State.READY) {
        times.ask(link, request, again);
      }
    }
    return times;
  }

  void submit(MaskedWork work) {
    queue.submit(work);
    times.submitted(work.key(), loop.nanoTime());
    dispatch();
  }

  /** Gives away what can be given away now. */
  void dispatch() {
    while (!queue.isEmpty()) {
      TeacherLink next = TeacherChoice.next(serving(), queue.samples());
      if (next == null) {
        break;
      }
      assign(next, queue.remove());
    }
    show();
  }

  private void assign(TeacherLink link, MaskedWork work) {
    times.given(work.key(), link.place(), loop.nanoTime());
    link.assign(work);
  }

  private void show() {
    metrics.pool(queue.size(), links.values().stream().mapToInt(TeacherLink::load).sum());
    links.values().forEach(link -> metrics.teacher(link.place(), link.works()));
  }

  Collection<TeacherLink> teachers() {
    return links.values();
  }

  /** Whether {@link #doubleTo} may be called. */
  boolean mayDouble(MaskedWork work) {
    return queue.mayDouble(work);
  }

  /** Gives it to a second teacher, whose state must be READY. */
  void doubleTo(TeacherLink other, MaskedWork work) {
    queue.doubled(work);
    assign(other, work);
  }

  @Override
  public void opened(TeacherLink link, TeacherOpened opened) {
    match.check(link.name(), opened);
    gpus.add(link.name(), opened.getGpusList());
  }

  /** Ends the run only before it has begun: its teachers are then not what was meant. */
  @Override
  public void refused(TeacherLink link, RunException why) {
    if (!started) {
      throw why;
    }
    String message = String.valueOf(why.getMessage());
    if (!message.equals(refusals.put(link, message))) {
      notices.warn(message + "; the run goes on without it");
    }
  }

  @Override
  public void ready(TeacherLink link) {
    refusals.remove(link);
    // After it has been silent it must answer first, or a teacher that hangs could be waited for
    // without end.
    if (link.deadline().misses() == 0) {
      absence.end();
    }
    if (link.lastFailure() != null) {
      notices.note(link.name() + " is there again");
    }
    dispatch();
  }

  @Override
  public void draining(TeacherLink link, String why) {
    notices.note(why + "; it gets no more work and has " + link.load() + " micro-batches left");
    noteAbsence();
  }

  @Override
  public void late(TeacherLink link, List<MaskedWork> work, RunException why) {
    int count = giveBack(work, "late");
    notices.warn(
        why.getMessage()
            + (count == 0
                ? "; others have its work already"
                : "; its " + count + " micro-batches are done again"));
    noteAbsence();
    dispatch();
  }

  @Override
  public void away(
      TeacherLink link, List<MaskedWork> work, RunException why, boolean late, boolean lost) {
    int count = giveBack(work, "lost");
    if (lost) {
      metrics.lost("teacher");
    }
    if (late) {
      notices.warn(link.name() + " is still silent; connecting anew");
    } else {
      queue.countTries(work, why);
      if (count > 0) {
        notices.warn(why.getMessage() + "; its " + count + " micro-batches are done again");
      } else if (link.failures() == 1 && link.state() == TeacherLink.State.AWAY) {
        // The tries that follow would say the same again.
        notices.warn(why.getMessage() + "; trying again");
      }
    }
    noteAbsence();
    dispatch();
  }

  private int giveBack(List<MaskedWork> work, String reason) {
    int count =
        queue.giveBack(
            work, key -> links.values().stream().anyMatch(link -> link.works() && link.has(key)));
    metrics.retried(count, reason);
    return count;
  }

  private void noteAbsence() {
    show();
    if (ready() == 0) {
      absence.begin();
    }
  }

  private String reasons() {
    List<String> reasons =
        links.values().stream()
            .map(
                l -> {
                  RunException why = l.lastFailure();
                  return why == null
                      ? l.name() + " has not answered"
                      : String.valueOf(why.getMessage());
                })
            .collect(Collectors.toCollection(ArrayList::new));
    reasons.addAll(nameless.values());
    peers.named().stream()
        .filter(name -> !named.containsKey(name) && !nameless.containsKey(name))
        .forEach(name -> reasons.add(name.name() + " is being looked up"));
    return String.join("; ", reasons);
  }

  private boolean nothingToDo() {
    return queue.isEmpty() && serving().stream().anyMatch(l -> l.load() == 0);
  }

  @Override
  public void answered(TeacherLink link, TeacherAnswer answer) {
    if (ready() > 0) {
      absence.end();
    }
    // It may have been late and thus have come back; what it still has, it answers first.
    if (queue.answered(answer.key(), other -> link.works() && link.has(other))) {
      AnswerTimes.@Nullable Times took =
          times.answered(
              answer.key(), link.place(), answer.span(), link.clock().offset(), loop.nanoTime());
      if (took != null) {
        metrics.answered(took);
      }
      answers.accept(answer);
    }
    dispatch();
  }

  @Override
  public void unexpected(MicroBatchKey key) {
    queue.unexpected(key);
  }

  private void found(PeerName name, Set<String> addresses) {
    nameless.remove(name);
    Map<String, TeacherLink> known = named.computeIfAbsent(name, n -> new LinkedHashMap<>());
    for (Map.Entry<String, TeacherLink> entry : List.copyOf(known.entrySet())) {
      if (!addresses.contains(entry.getKey())) {
        entry.getValue().leave(entry.getValue().name() + " is no longer one of " + name.name());
      }
    }
    for (String address : addresses) {
      TeacherLink link = known.get(address);
      if (link != null) {
        link.stay();
        continue;
      }
      TeacherLink joined = join(name.connector().connect(address));
      known.put(address, joined);
      if (started) {
        notices.note(joined.name() + " joins the run, as one of " + name.name());
      }
      joined.connect();
    }
  }

  /** A name that nobody knows for a moment takes no teacher away. */
  private void unknown(PeerName name, String why) {
    if (!why.equals(nameless.put(name, why))) {
      notices.warn(why);
    }
  }

  @Override
  public void closed(TeacherLink link) {
    links.remove(link.place());
    gpus.remove(link.name());
    metrics.teacherLeft(link.place());
    vacated.add(link.place());
    refusals.remove(link);
    named.values().forEach(known -> known.values().remove(link));
    link.peer().channel().shutdownNow();
    noteAbsence();
  }

  @Override
  public void close() {
    watch.close();
    names.close();
    for (TeacherLink link : links.values()) {
      link.close();
    }
    named
        .values()
        .forEach(known -> known.values().forEach(link -> link.peer().channel().shutdownNow()));
  }
}
