package org.maskedkd.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.maskedkd.cli.ChaosEvent.Role;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.GracefulStop;
import org.maskedkd.runtime.RunException;

/** One run to its end, while its processes are killed and stopped. On one thread. */
final class ChaosRun {
  private static final long POLL_MILLIS = 5;
  private static final long PROGRESS_NANOS = TimeUnit.SECONDS.toNanos(5);

  private final Path run;
  private final LocalProcesses stages;
  private final CoordinatorProcess coordinator;
  private final GracefulStop stop;
  private final Consumer<String> notices;
  private final List<Recovery> recoveries = new ArrayList<>();
  private final List<Open> open = new ArrayList<>();

  /** When a process that was stopped goes on, by its id. */
  private final Map<Long, Long> stopped = new HashMap<>();

  private @Nullable ChaosEvent hunted;
  private int kills;
  private int killsInCheckpoints;
  private int pauses;
  private long furthest;
  private long newestStep;
  private long replayed;

  /** A kill that the run has not come over. */
  private static final class Open {
    final Role role;
    final long nanos = System.nanoTime();
    final int attempt;
    final long step;
    final long furthest;
    boolean alone;
    double seconds = Double.NaN;

    Open(Role role, int attempt, long step, long furthest, boolean alone) {
      this.role = role;
      this.attempt = attempt;
      this.step = step;
      this.furthest = furthest;
      this.alone = alone;
    }
  }

  /**
   * What was done to a run, and how long it took.
   *
   * @param replayedSteps that were committed, lost and trained again
   * @param seconds from its first step to its end
   */
  record Outcome(
      int kills,
      int killsInCheckpoints,
      int pauses,
      long replayedSteps,
      double seconds,
      List<Recovery> recoveries) {}

  /**
   * @param run the run's directory
   * @param notices gets what happens, a line each
   */
  ChaosRun(
      Path run,
      LocalProcesses stages,
      CoordinatorProcess coordinator,
      GracefulStop stop,
      Consumer<String> notices) {
    this.run = run;
    this.stages = stages;
    this.coordinator = coordinator;
    this.stop = stop;
    this.notices = notices;
  }

  /**
   * Follows the run to its end.
   *
   * @param events what is to be done to it
   * @param window seconds from the first step on, over which the events' moments are spread
   * @throws RunException when the run ends otherwise, or a signal stops this process
   */
  Outcome follow(List<ChaosEvent> events, double window) throws IOException, InterruptedException {
    try {
      return toTheEnd(new ArrayDeque<>(events), window);
    } finally {
      for (long pid : stopped.keySet()) {
        ProcessSignal.CONT.send(pid);
      }
    }
  }

  private Outcome toTheEnd(Deque<ChaosEvent> events, double window)
      throws IOException, InterruptedException {
    long begin = 0;
    long said = System.nanoTime();
    while (true) {
      if (stop.signalExitCode() != ExitCode.DONE.code()) {
        throw new RunException(ExitCode.of(stop.signalExitCode()), "stopped");
      }
      boolean done = coordinator.done();
      RunTail newest = RunTail.committed(run);
      observe(newest);
      if (begin == 0 && newest.step() > 0) {
        begin = System.nanoTime();
      }
      if (done) {
        return new Outcome(
            kills,
            killsInCheckpoints,
            pauses,
            replayed,
            (System.nanoTime() - begin) / 1e9,
            List.copyOf(recoveries));
      }
      goOn();
      if (hunted != null) {
        hunt(hunted);
      }
      double elapsed = begin == 0 ? -1 : (System.nanoTime() - begin) / 1e9;
      while (!events.isEmpty() && events.element().at() * window <= elapsed) {
        act(events.remove());
      }
      if (System.nanoTime() - said > PROGRESS_NANOS) {
        said = System.nanoTime();
        notices.accept("step " + newest.step());
      }
      TimeUnit.MILLISECONDS.sleep(hunted == null ? POLL_MILLIS : 1);
    }
  }

  private void act(ChaosEvent event) throws IOException, InterruptedException {
    switch (event.kind()) {
      case KILL -> kill(event);
      case KILL_IN_CHECKPOINT -> hunted = event;
      case PAUSE -> {
        long pid = pid(event);
        ProcessSignal.STOP.send(pid);
        stopped.put(pid, System.nanoTime() + (long) (event.seconds() * 1e9));
        open.forEach(other -> other.alone = false);
        pauses++;
        notices.accept(event.toString());
      }
    }
  }

  /** Lets those go on that were stopped long enough. */
  private void goOn() throws IOException, InterruptedException {
    for (Map.Entry<Long, Long> each : List.copyOf(stopped.entrySet())) {
      if (System.nanoTime() - each.getValue() >= 0) {
        ProcessSignal.CONT.send(each.getKey());
        stopped.remove(each.getKey());
      }
    }
  }

  /** Kills the student if it writes a checkpoint just now. */
  private void hunt(ChaosEvent event) throws IOException, InterruptedException {
    long pid = pid(event);
    if (stopped.containsKey(pid) || !writesCheckpoint(pid)) {
      return;
    }
    // It may be through before the kill reaches it; once it stands still there is time to look.
    ProcessSignal.STOP.send(pid);
    if (writesCheckpoint(pid)) {
      killsInCheckpoints++;
      hunted = null;
      kill(event);
    } else {
      ProcessSignal.CONT.send(pid);
    }
  }

  /** Whether there is half a checkpoint, and not one that a process before this one left. */
  private boolean writesCheckpoint(long pid) throws IOException {
    Path checkpoints = run.resolve("checkpoints");
    Instant started =
        ProcessHandle.of(pid).flatMap(process -> process.info().startInstant()).orElse(null);
    if (started == null || !Files.isDirectory(checkpoints)) {
      return false;
    }
    try (Stream<Path> all = Files.list(checkpoints)) {
      for (Path half : all.filter(path -> path.toString().endsWith(".partial")).toList()) {
        if (Files.getLastModifiedTime(half).toInstant().isAfter(started)) {
          return true;
        }
      }
      return false;
    } catch (NoSuchFileException renamed) {
      return false;
    }
  }

  private void kill(ChaosEvent event) throws IOException, InterruptedException {
    long pid = pid(event);
    boolean alone = open.isEmpty() && stopped.isEmpty();
    open.forEach(other -> other.alone = false);
    open.add(
        new Open(
            event.role(),
            RunTail.planned(run).attempt(),
            RunTail.committed(run).step(),
            furthest,
            alone));
    ProcessSignal.KILL.send(pid);
    stopped.remove(pid);
    kills++;
    notices.accept(event + " at step " + RunTail.committed(run).step());
  }

  private long pid(ChaosEvent event) {
    return switch (event.role()) {
      case COORDINATOR -> coordinator.pid();
      case STUDENT -> stages.pids().get(0);
      case TEACHER -> stages.pids().get(1 + event.index());
    };
  }

  private void observe(RunTail newest) {
    furthest = Math.max(furthest, newest.step());
    replayed += Math.max(0, newestStep - newest.step());
    newestStep = newest.step();
    for (Open each : List.copyOf(open)) {
      boolean committed =
          newest.attempt() > each.attempt
              || (each.role == Role.TEACHER
                  && newest.attempt() == each.attempt
                  && newest.step() > each.step);
      double now = (System.nanoTime() - each.nanos) / 1e9;
      if (committed && Double.isNaN(each.seconds)) {
        each.seconds = now;
      }
      if (!Double.isNaN(each.seconds) && newest.step() > each.furthest) {
        recoveries.add(new Recovery(each.role, each.seconds, now, each.alone));
        open.remove(each);
      }
    }
  }
}
