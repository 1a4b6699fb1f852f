package org.maskedkd.coordinator;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * What all teachers of a run have in common, so that it does not matter which of them answers: the
 * first one's model and numerics. Event loop only.
 */
final class TeacherMatch {

  private final boolean deterministic;
  private final Notices notices;
  private @Nullable TeacherOpened first;
  private String firstName = "";

  /**
   * @param deterministic whether the numerics must be the same, too
   * @param notices gets what a person should know, a line each
   */
  TeacherMatch(boolean deterministic, Notices notices) {
    this.deterministic = deterministic;
    this.notices = notices;
  }

  /** Null as long as no teacher was there. */
  @Nullable ModelInfo model() {
    return first == null ? null : first.getModel();
  }

  Numerics numerics() {
    return first == null ? Numerics.getDefaultInstance() : first.getNumerics();
  }

  /**
   * @throws RunException with {@link ExitCode#INCOMPATIBLE} and both values of what differs
   */
  void check(String name, TeacherOpened opened) {
    if (opened.getProtocolVersion() != Protocol.PROTOCOL_VERSION_VALUE) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          name
              + " speaks protocol version "
              + opened.getProtocolVersion()
              + ", this coordinator "
              + Protocol.PROTOCOL_VERSION_VALUE
              + "; run the same release everywhere");
    }
    ModelInfo found = opened.getModel();
    PeerCheck.teacher(name, found);
    TeacherOpened expected = first;
    if (expected == null) {
      first = opened;
      firstName = name;
      found.getNoticesList().forEach(notice -> notices.note(name + ": " + notice));
      return;
    }
    ModelInfo model = expected.getModel();
    requireSame(name, "weights", model.getWeightsDigest(), found.getWeightsDigest());
    requireSame(name, "grid", model.getGrid(), found.getGrid());
    requireSame(name, "mean", model.getMeanList(), found.getMeanList());
    requireSame(name, "std", model.getStdList(), found.getStdList());
    requireSame(name, "class count", model.getClasses(), found.getClasses());
    compareNumerics(name, expected.getNumerics(), opened.getNumerics());
  }

  private void requireSame(String name, String what, Object expected, Object found) {
    if (!expected.equals(found)) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          String.format(
              "%s has the %s %s, but %s has %s; all teachers of a run must hold the same model",
              name, what, oneLine(found), firstName, oneLine(expected)));
    }
  }

  private void compareNumerics(String name, Numerics expected, Numerics found) {
    Map<String, String> facts = new TreeMap<>(expected.getFactsMap());
    facts.putAll(found.getFactsMap());
    List<String> differences = new ArrayList<>();
    for (String fact : facts.keySet()) {
      String has = found.getFactsOrDefault(fact, "unknown");
      String others = expected.getFactsOrDefault(fact, "unknown");
      if (!Objects.equals(has, others)) {
        differences.add(String.format("%s is %s, but %s there", fact, has, others));
      }
    }
    if (differences.isEmpty()) {
      return;
    }
    String all =
        name + " computes otherwise than " + firstName + ": " + String.join("; ", differences);
    if (deterministic) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          all
              + "; the result would depend on who answers. Start the teachers alike, or allow it"
              + " with deterministic=false");
    }
    notices.warn(all);
  }

  private static String oneLine(Object value) {
    return value.toString().strip().replaceAll("\\s+", " ");
  }
}
