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
 */
final class Replay implements Dispatcher.Queue {

  /** Times that differ by less, relatively, are the same but for rounding. */
  private static final double SAME = 1e-12;

  private record Submission(double time, int index) {}

  private record Answer(double time, int teacher, int index) {}

  private final Schedule schedule;
  private final Costs costs;
  private final boolean distilled;
  private final Dispatcher teachers;
  private final int count;
  private final int[] rank;
  private final boolean[] behindBarrier;
  private final double[] forwardEnd;
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
  private int place;
  private int forwards;
  private int gradients;
  private double lastGradient;

  Replay(Schedule schedule, Costs costs, List<Double> slowness) {
    this.schedule = schedule;
    this.costs = costs;
    this.distilled = !slowness.isEmpty();
    this.teachers = new Dispatcher(slowness.stream().mapToDouble(Double::doubleValue).toArray());
    this.count = schedule.sizes().size();
    this.rank = new int[count];
    this.behindBarrier = new boolean[count];
    this.forwardEnd = new double[count];
    this.gradient = new double[count];
    this.queue = new int[count];
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

  /** The end of the step; the schedule must be legal. */
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
    if (place < schedule.student().size()) {
      throw new IllegalStateException(
          "the step stopped before %s (entry %d)"
              .formatted(schedule.student().get(place), place + 1));
    }
    double end = now + costs.optimizer();
    spans.add(new Span(Span.STUDENT, Operation.OPTIMIZER, 0, now, end));
    return end;
  }

  /** What was done, in no particular order. */
  List<Span> spans() {
    return spans;
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
    while (place < schedule.student().size()) {
      Action action = schedule.student().get(place);
      int index = action.index();
      switch (action.operation()) {
        case OFFER -> submit(index);
        case FORWARD -> {
          work(action, costs.forward());
          forwardEnd[index] = now;
          forwards++;
          if (!distilled) {
            gradientAt(index, now);
          } else {
            if (!schedule.offers()) {
              submit(index);
            }
            if (forwards == count) {
              offeredBehindBarrier.forEach(i -> submissions.add(new Submission(now, i)));
            }
          }
        }
        case BACKWARD -> {
          if (Double.isNaN(gradient[index])) {
            return;
          }
          now = Math.max(now, gradient[index]);
          work(action, costs.backward());
        }
        case AWAIT -> {
          if (gradients < count) {
            return;
          }
          now = Math.max(now, lastGradient);
        }
        case TEACHER, OPTIMIZER ->
            throw new IllegalStateException(action + " is not the student's");
      }
      place++;
    }
  }

  private void work(Action action, Cost cost) {
    double start = now;
    now += cost.of(schedule.sizes().get(action.index()));
    spans.add(new Span(Span.STUDENT, action.operation(), action.index(), start, now));
  }

  private void submit(int index) {
    if (!distilled) {
      return;
    }
    if (behindBarrier[index]) {
      offeredBehindBarrier.add(index);
    } else {
      submissions.add(new Submission(now, index));
    }
  }

  private void enqueue(int index) {
    int at = queued++;
    while (at > 0 && rank[queue[at - 1]] > rank[index]) {
      queue[at] = queue[--at];
    }
    queue[at] = index;
  }

  private void dispatch(double time) {
    asked = time;
    while (queued > 0) {
      int teacher = teachers.choose(this);
      if (teacher == Dispatcher.HOLD) {
        return;
      }
      int index = queue[0];
      double start = teachers.assign(teacher, arrival(0), work(0));
      double end = teachers.end(teacher);
      spans.add(new Span(teacher + 1, Operation.TEACHER, index, start, end));
      System.arraycopy(queue, 1, queue, 0, --queued);
      double answer = end + costs.signals().of(schedule.sizes().get(index));
      answers.add(new Answer(answer, teacher, index));
      gradientAt(index, answer);
    }
  }

  @Override
  public int size() {
    return queued;
  }

  @Override
  public double arrival(int waiting) {
    return asked + costs.indices().of(schedule.sizes().get(queue[waiting]));
  }

  @Override
  public double work(int waiting) {
    return costs.teacher().of(schedule.sizes().get(queue[waiting]));
  }

  private void gradientAt(int index, double time) {
    gradient[index] = time;
    gradients++;
    lastGradient = Math.max(lastGradient, time);
  }
}
