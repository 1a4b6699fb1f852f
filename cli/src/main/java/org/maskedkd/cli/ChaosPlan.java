package org.maskedkd.cli;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import org.maskedkd.cli.ChaosEvent.Kind;
import org.maskedkd.cli.ChaosEvent.Role;

/** What is done to the processes of a run and when: a pure function of numbers and a seed. */
final class ChaosPlan {
  private static final double SHORTEST_PAUSE = 0.2;
  private static final double SHORT_PAUSES = 4;

  /** Every third pause is longer than what the run waits for a peer that says nothing. */
  private static final int LONG_EVERY = 3;

  private ChaosPlan() {}

  /**
   * Draws moments uniform in time. Each role gets a quarter of the kills, at least one if there are
   * three; one more is of a student that writes a checkpoint; chance gives the rest.
   *
   * @param longestPause seconds
   * @return in the order of their moments
   */
  static List<ChaosEvent> draw(
      int kills, int pauses, int teachers, double longestPause, long seed) {
    Random random = new Random(new SplittableRandom(seed).nextLong());
    List<ChaosEvent> events = new ArrayList<>();
    int each = kills < 3 ? 0 : Math.max(1, kills / 4);
    for (int kill = 0; kill < kills; kill++) {
      Role role = Role.values()[random.nextInt(Role.values().length)];
      Kind kind = Kind.KILL;
      if (kill < 3 * each) {
        role = Role.values()[kill % 3];
      } else if (kill == 3 * each) {
        role = Role.STUDENT;
        kind = Kind.KILL_IN_CHECKPOINT;
      }
      events.add(event(random, role, kind, teachers, 0));
    }
    List<Role> roles = new ArrayList<>(List.of(Role.values()));
    Collections.shuffle(roles, random);
    for (int pause = 0; pause < pauses; pause++) {
      boolean isLong = pause % LONG_EVERY == LONG_EVERY - 1;
      double seconds =
          isLong
              ? longestPause * (0.9 + 0.1 * random.nextDouble())
              : Math.min(longestPause, SHORTEST_PAUSE + SHORT_PAUSES * random.nextDouble());
      events.add(event(random, roles.get(pause % roles.size()), Kind.PAUSE, teachers, seconds));
    }
    events.sort((a, b) -> Double.compare(a.at(), b.at()));
    return events;
  }

  private static ChaosEvent event(
      Random random, Role role, Kind kind, int teachers, double seconds) {
    int index = role == Role.TEACHER ? random.nextInt(teachers) : 0;
    return new ChaosEvent(random.nextDouble(), role, index, kind, seconds);
  }
}
