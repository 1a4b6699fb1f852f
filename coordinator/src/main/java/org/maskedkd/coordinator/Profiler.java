package org.maskedkd.coordinator;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.Profile;
import org.maskedkd.proto.v1.ProfilePoint;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent.EventCase;
import org.maskedkd.proto.v1.TeacherProfiled;
import org.maskedkd.schedule.CostFit.Point;

/**
 * Lets the stages time themselves: each while nothing else runs, then all at once, which shows how
 * much they slow each other.
 */
final class Profiler {

  static final int LEAST_REPEATS = 3;
  private static final int MOST_REPEATS = 15;

  /** Half of what a teacher takes whose Java heap has 1 GiB. */
  private static final long MOST_FEATURE_BYTES = 64L << 20;

  /** What one stage's own times may take, as long as that allows enough of them. */
  private static final double SECONDS = 10;

  /** Of a batch are in all sizes together. */
  private static final double SHARE = 5 / 6.;

  private final RunConfig config;
  private final Stages stages;
  private final int repeats;

  /**
   * @param repeats of which the median counts
   */
  Profiler(RunConfig config, Stages stages, int repeats) {
    this.config = config;
    this.stages = stages;
    this.repeats = repeats;
  }

  /** How often there is time to repeat where steps take so long. */
  static int repeats(double stepSeconds) {
    double affordable = SECONDS / Math.max(1e-3, SHARE * stepSeconds);
    return (int) Math.max(LEAST_REPEATS, Math.min(MOST_REPEATS, affordable));
  }

  /**
   * What the stages cost; the last four are what only whole steps show.
   *
   * @param step the one that comes next
   */
  StageProfile measure(
      long step, double optimizer, double indices, double signals, double clockError) {
    List<Integer> sizes = sizes();
    List<ProfilePoint> student = student(sizes);
    Map<Integer, List<Point>> teachers = new HashMap<>();
    StageProfile.Together together = StageProfile.Together.NONE;
    long teacherResidentBytes = 0;
    if (stages.pool() != null && stages.teacher() != null) {
      Map<Integer, TeacherProfiled> alone = stages.pool().profile(request(sizes));
      alone.forEach((place, profiled) -> teachers.put(place, points(profiled)));
      teacherResidentBytes =
          alone.values().stream()
              .flatMap(profiled -> profiled.getPointsList().stream())
              .mapToLong(ProfilePoint::getResidentBytes)
              .max()
              .orElse(0);
      together = together(stages.pool(), sizes.get(sizes.size() - 1), student, teachers);
    }
    StageProfile.Teachers pool = StageProfile.Teachers.of(teachers);
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
        teacherResidentBytes,
        together);
  }

  /**
   * Student and teachers at work at the same time, with one size. Whoever is done first goes on
   * until the others are.
   */
  private StageProfile.Together together(
      TeacherPool pool, int size, List<ProfilePoint> student, Map<Integer, List<Point>> teachers) {
    List<Integer> one = List.of(size);
    boolean[] studentKnown = {false};
    TeacherTimes times = pool.profileTogether(request(one), () -> !studentKnown[0]);
    List<ProfilePoint> beside = student(one);
    while (!times.known()) {
      student(one);
    }
    studentKnown[0] = true;
    Map<Integer, Double> slower = new HashMap<>();
    times
        .finish()
        .forEach(
            (place, profiled) -> {
              List<Point> alone = teachers.get(place);
              if (alone != null) {
                slower.put(place, ratio(points(profiled), alone));
              }
            });
    return new StageProfile.Together(
        ratio(StageProfile.points(beside, "forward"), StageProfile.points(student, "forward")),
        ratio(StageProfile.points(beside, "backward"), StageProfile.points(student, "backward")),
        slower.values().stream().mapToDouble(Double::doubleValue).average().orElse(1));
  }

  /** Of the last points, which are of the same size. */
  private static double ratio(List<Point> together, List<Point> alone) {
    return together.get(together.size() - 1).seconds() / alone.get(alone.size() - 1).seconds();
  }

  private List<ProfilePoint> student(List<Integer> sizes) {
    stages
        .student()
        .send(
            StudentCommand.newBuilder()
                .setProfile(
                    Profile.newBuilder()
                        .addAllSizes(sizes)
                        .setRepeats(repeats)
                        .setKeep(config.distils() ? config.masking().keep() : 0))
                .build());
    return stages.student().expect(EventCase.PROFILED, p -> {}).getProfiled().getPointsList();
  }

  private ProfileTeacher request(List<Integer> sizes) {
    int patches = ForwardedInbox.patches(Objects.requireNonNull(stages.teacher()).getGrid());
    return ProfileTeacher.newBuilder()
        .setKept((int) Math.max(1, Math.round(config.masking().teachersKeep() * patches)))
        .addAllSizes(sizes)
        .setRepeats(repeats)
        .setFeatures(stages.opened().getFeatures())
        .setMerge(config.teacher().merge())
        .build();
  }

  private static List<Point> points(TeacherProfiled profiled) {
    return StageProfile.points(profiled.getPointsList(), "teacher");
  }

  /** Samples whose features a stage with the usual heap can take to time itself. */
  private int mostWithFeatures() {
    ModelInfo teacher = stages.teacher();
    if (teacher == null) {
      return Integer.MAX_VALUE;
    }
    long perImage =
        SignalShape.featureBytes(
            stages.opened().getFeatures(), teacher, ForwardedInbox.patches(teacher.getGrid()));
    return perImage == 0
        ? Integer.MAX_VALUE
        : (int) Math.max(1, Math.min(Integer.MAX_VALUE, MOST_FEATURE_BYTES / perImage));
  }

  /**
   * A single image, and about a sixteenth, a quarter and a half of the batch, as far as they may be
   * held.
   */
  private List<Integer> sizes() {
    int batch = config.schedule().batch();
    int most = Math.min(Planner.largest(config.schedule()), mostWithFeatures());
    return Stream.of(1, Math.max(2, batch / 16), Math.max(2, batch / 4), Math.max(2, batch / 2))
        .map(size -> Math.min(size, most))
        .distinct()
        .toList();
  }
}
