package org.maskedkd.schedule;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.PriorityQueue;

/**
 * Plays a step on a clock of its own. The student goes through its list; what it hands over joins
 * the teachers' queue; whenever something joins the queue or an answer arrives, the {@link
 * Dispatcher} is asked who gets the first of it. The end of a teacher's forward is known as soon as
 * it is assigned, so these two events are all there are, and the student can be advanced past the
 * event that let it go on.
 *
 * <p>A step with stale masks begins with a head start that the steps before it gave the teachers.
 * They are played too, until they take equally long; the last one counts. Micro-batches are
 * numbered on from step to step.
 */
final class Replay implements Dispatcher.Queue {

  /** Times that differ by less, relatively, are the same but for rounding. */
  private static final double SAME = 1e-12;

  /** Steps that take the same time one after another before it counts as settled. */
  private static final int SETTLED = 3;

  private static final double SETTLED_WITHIN = 1e-9;

  private static final int MOST_STEPS = 40;

  private record Submission(double time, int index) {}

  private record Answer(double time, int teacher, int index) {}

  private final Schedule schedule;
  private final List<Action> before;
  private final Costs costs;
  private final Slowdown slowdown;
  private final boolean distilled;
  private final boolean offers;
  private final Dispatcher teachers;
  private final int count;
  private final int[] rank;
  private final boolean[] behindBarrier;
  private final double[] gradient;
  private final Deque<Submission> submissions = new ArrayDeque<>();
  private final PriorityQueue<Answer> answers =
      new PriorityQueue<>(Comparator.comparingDouble(Answer::time).thenComparingInt(Answer::index));
  private final int[] queue;
  private int queued;
  private double asked;
  private final List<Integer> offeredBehindBarrier = new ArrayList<>();
  private final List<Span> spans;
  private double now;
  private int step;
  private boolean last;
  private boolean over;
  private double start;
  private double took = Double.NaN;
  private int equal;
  private int place;
  private int forwards;

  Replay(Schedule schedule, Costs costs, List<Double> slowness, Slowdown slowdown) {
    this.schedule = schedule;
    this.costs = costs;
    this.slowdown = slowdown;
    this.distilled = !slowness.isEmpty();
    this.offers = schedule.offers();
    this.teachers = new Dispatcher(slowness.stream().mapToDouble(Double::doubleValue).toArray());
    this.count = schedule.sizes().size();
    this.rank = new int[count];
    this.behindBarrier = new boolean[count];
    this.last = schedule.stale() == 0;
    this.before =
        last ? List.of() : SchedulePlanner.withStaleMasks(schedule, schedule.stale()).student();
    int most = (last ? 1 : MOST_STEPS) * count + Math.max(count, schedule.ahead().size());
    this.gradient = new double[most];
    this.queue = new int[most];
    this.spans = new ArrayList<>(3 * count + 1);
    Arrays.fill(gradient, Double.NaN);
    boolean barrier = false;
    for (int i = 0; i < schedule.teachers().size(); i++) {
      Action action = schedule.teachers().get(i);
      if (action.operation() == Operation.AWAIT) {
        barrier = true;
      } else {
        rank[action.index()] = i;
        behindBarrier[action.index()] = barrier;
      }
    }
  }

  /** How long the step takes; the schedule must be legal. */
  double play() {
    advance();
    while (!submissions.isEmpty() || !answers.isEmpty()) {
      double time;
      if (answerIsNext()) {
        Answer answer = answers.remove();
        teachers.answered(answer.teacher());
        time = answer.time();
      } else {
        Submission submission = submissions.remove();
        enqueue(submission.index());
        time = submission.time();
      }
      dispatch(time);
      advance();
    }
    if (!over) {
      throw new IllegalStateException(
          "the step stopped before %s (entry %d)".formatted(student().get(place), place + 1));
    }
    return step();
  }

  /** How long the step took that was played. */
  double step() {
    return now - start;
  }

  /**
   * What was done in the step, counted from its start, in no particular order. What began before it
   * or goes on after it is cut off there.
   */
  List<Span> spans() {
    List<Span> own = new ArrayList<>(spans.size());
    for (Span span : spans) {
      double from = Math.max(span.start(), start);
      double to = Math.min(span.end(), now);
      if (to > from || (from == to && span.start() == span.end() && stepOf(span) == step)) {
        own.add(
            new Span(span.device(), operation(span), indexInStep(span), from - start, to - start));
      }
    }
    return own;
  }

  private int stepOf(Span span) {
    return span.index() / count;
  }

  private Operation operation(Span span) {
    return stepOf(span) > step ? Operation.LOOK_AHEAD : span.operation();
  }

  private int indexInStep(Span span) {
    return span.index() - Math.min(stepOf(span), step + 1) * count;
  }

  private List<Action> student() {
    return last ? schedule.student() : before;
  }

  private boolean answerIsNext() {
    Answer answer = answers.peek();
    Submission submission = submissions.peek();
    if (answer == null || submission == null) {
      return answer != null;
    }
    return answer.time() <= submission.time() * (1 + SAME);
  }

  /** Lets the student go on until it needs a gradient that nobody works on yet. */
  private void advance() {
    while (!over) {
      for (; place < student().size(); place++) {
        if (!carriedOut(student().get(place))) {
          return;
        }
      }
      optimize();
    }
  }

  private boolean carriedOut(Action action) {
    int base = step * count;
    int index = base + action.index();
    switch (action.operation()) {
      case OFFER -> submit(index);
      case FORWARD -> {
        work(action, index, costs.forward());
        forwards++;
        if (!distilled) {
          gradient[index] = now;
        } else {
          if (!offers && (step == 0 || action.index() >= schedule.stale())) {
            submit(index);
          }
          if (forwards == count) {
            offeredBehindBarrier.forEach(i -> submissions.add(new Submission(now, i)));
          }
        }
      }
      case LOOK_AHEAD -> {
        work(action, index + count, costs.forward());
        submit(index + count);
      }
      case BACKWARD -> {
        if (Double.isNaN(gradient[index])) {
          return false;
        }
        now = Math.max(now, gradient[index]);
        work(action, index, costs.backward());
      }
      case AWAIT -> {
        double all = now;
        for (int i = base; i < base + count; i++) {
          if (Double.isNaN(gradient[i])) {
            return false;
          }
          all = Math.max(all, gradient[i]);
        }
        now = all;
      }
      case CHOOSE, TEACHER, OPTIMIZER ->
          throw new IllegalStateException(action + " is not the student's");
    }
    return true;
  }

  /** Ends the step and, unless it is the last, begins the next. */
  private void optimize() {
    double end = now + costs.optimizer();
    spans.add(new Span(Span.STUDENT, Operation.OPTIMIZER, step * count, now, end));
    now = end;
    over = last;
    if (over) {
      return;
    }
    equal = Math.abs(end - start - took) <= SETTLED_WITHIN * took ? equal + 1 : 0;
    took = end - start;
    start = end;
    step++;
    last = equal == SETTLED || step == MOST_STEPS - 1;
    place = 0;
    forwards = 0;
  }

  private void work(Action action, int index, Cost cost) {
    double from = now;
    now += cost.of(samples(index)) * slowdown.of(action.operation(), index % count);
    spans.add(new Span(Span.STUDENT, action.operation(), index, from, now));
  }

  private void submit(int index) {
    if (!distilled) {
      return;
    }
    if (behindBarrier[index % count]) {
      offeredBehindBarrier.add(index);
    } else {
      submissions.add(new Submission(now, index));
    }
  }

  private void enqueue(int index) {
    int at = queued++;
    while (at > 0 && rank(queue[at - 1]) > rank(index)) {
      queue[at] = queue[--at];
    }
    queue[at] = index;
  }

  private int rank(int index) {
    return index - index % count + rank[index % count];
  }

  private void dispatch(double time) {
    asked = time;
    while (queued > 0) {
      int teacher = teachers.choose(this);
      if (teacher == Dispatcher.HOLD) {
        return;
      }
      int index = queue[0];
      double from = teachers.assign(teacher, arrival(0), work(0));
      double end = teachers.end(teacher);
      spans.add(new Span(teacher + 1, Operation.TEACHER, index, from, end));
      System.arraycopy(queue, 1, queue, 0, --queued);
      double answer = end + costs.signals().of(samples(index));
      answers.add(new Answer(answer, teacher, index));
      gradient[index] = answer;
    }
  }

  private int samples(int index) {
    int next = (step + 1) * count;
    return last && index >= next
        ? schedule.ahead().get(index - next)
        : schedule.sizes().get(index % count);
  }

  @Override
  public int size() {
    return queued;
  }

  @Override
  public double arrival(int waiting) {
    return asked + costs.indices().of(samples(queue[waiting]));
  }

  @Override
  public double work(int waiting) {
    int index = queue[waiting];
    return costs.teacher().of(samples(index)) * slowdown.of(Operation.TEACHER, index % count);
  }
}
