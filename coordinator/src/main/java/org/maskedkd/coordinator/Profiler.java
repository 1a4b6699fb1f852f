package org.maskedkd.coordinator;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.maskedkd.proto.v1.Profile;
import org.maskedkd.proto.v1.ProfilePoint;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent.EventCase;
import org.maskedkd.schedule.CostFit.Point;

/** Lets the stages time themselves, one after another, while nothing else runs. */
final class Profiler {

  private static final int REPEATS = 3;

  private final RunConfig config;
  private final Stages stages;

  Profiler(RunConfig config, Stages stages) {
    this.config = config;
    this.stages = stages;
  }

  /**
   * What the stages cost; the last four are what only whole steps show.
   *
   * @param step the one that comes next
   */
  StageProfile measure(
      long step, double optimizer, double indices, double signals, double clockError) {
    List<Integer> sizes = sizes();
    stages
        .student()
        .send(
            StudentCommand.newBuilder()
                .setProfile(
                    Profile.newBuilder()
                        .addAllSizes(sizes)
                        .setRepeats(REPEATS)
                        .setKeep(config.distils() ? config.masking().keep() : 0))
                .build());
    List<ProfilePoint> student =
        stages.student().expect(EventCase.PROFILED, p -> {}).getProfiled().getPointsList();
    Map<Integer, List<ProfilePoint>> teachers = new HashMap<>();
    if (stages.pool() != null && stages.teacher() != null) {
      int patches = ForwardedInbox.patches(stages.teacher().getGrid());
      ProfileTeacher request =
          ProfileTeacher.newBuilder()
              .setKept((int) Math.max(1, Math.round(config.masking().keep() * patches)))
              .addAllSizes(sizes)
              .setRepeats(REPEATS)
              .build();
      stages
          .pool()
          .profile(request)
          .forEach((place, profiled) -> teachers.put(place, profiled.getPointsList()));
    }
    Map<Integer, List<Point>> times = new HashMap<>();
    teachers.forEach((place, points) -> times.put(place, StageProfile.points(points, "teacher")));
    StageProfile.Teachers pool = StageProfile.Teachers.of(times);
    return new StageProfile(
        step,
        StageProfile.points(student, "forward"),
        StageProfile.points(student, "backward"),
        pool.fastest(),
        optimizer,
        indices,
        signals,
        pool.slowness(),
        clockError,
        StageProfile.Memory.of(student),
        teachers.values().stream()
            .flatMap(List::stream)
            .mapToLong(ProfilePoint::getResidentBytes)
            .max()
            .orElse(0));
  }

  /**
   * A single image, and about a sixteenth and a quarter of the batch, as far as they may be held.
   */
  private List<Integer> sizes() {
    int batch = config.schedule().batch();
    int most = Planner.largest(config.schedule());
    return Stream.of(1, Math.max(2, batch / 16), Math.max(2, batch / 4))
        .map(size -> Math.min(size, most))
        .distinct()
        .toList();
  }
}
