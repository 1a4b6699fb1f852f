package org.maskedkd.coordinator;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/** What may be different when a run goes on, and what may not because it would be another run. */
final class Resumption {

  /** Keys, or beginnings of keys, that leave what is learned as it is. */
  private static final Set<String> FREE =
      Set.of(
          "runs-dir",
          "name",
          "deterministic",
          "student.address",
          "student.threads",
          "student.recompute",
          "teacher.address",
          "teacher.replicas",
          "teacher.threads",
          "teacher.retry-seconds",
          "data.workers",
          "schedule.epochs",
          "schedule.micro-batches",
          "schedule.window",
          "schedule.order",
          "schedule.profile",
          "timeline.",
          "evaluation.",
          "checkpoint.");

  /** Keys that name a file or folder, which may be written from another working directory. */
  private static final Set<String> PATHS = Set.of("data.root", "student.init", "teacher.weights");

  private Resumption() {}

  /**
   * Compares the configuration of a run with the one it shall go on with.
   *
   * @return what a person should know
   * @throws RunException with {@link ExitCode#USAGE} naming each key that may not change
   */
  static List<String> check(RunConfig before, RunConfig now) {
    Map<String, JsonNode> old = leaves(ConfigLoader.toTree(before));
    List<String> refused = new ArrayList<>();
    leaves(ConfigLoader.toTree(now))
        .forEach(
            (key, value) -> {
              JsonNode was = old.get(key);
              if (!same(key, was, value) && FREE.stream().noneMatch(key::startsWith)) {
                refused.add(key + " was " + was + " and is now " + value);
              }
            });
    if (!refused.isEmpty()) {
      throw new RunException(
          ExitCode.USAGE,
          "the run cannot go on with another configuration: "
              + String.join("; ", refused)
              + "; begin a new run under another name");
    }
    List<String> notices = new ArrayList<>();
    if (before.schedule().epochs() != now.schedule().epochs()) {
      notices.add(
          "schedule.epochs was "
              + before.schedule().epochs()
              + " and is now "
              + now.schedule().epochs()
              + ": the learning rate follows another curve from here on");
    }
    return notices;
  }

  private static boolean same(String key, @Nullable JsonNode was, JsonNode value) {
    return value.equals(was)
        || (was != null
            && PATHS.contains(key)
            && resolved(key, was.asText()).equals(resolved(key, value.asText())));
  }

  private static String resolved(String key, String path) {
    boolean none = path.isEmpty() && !key.equals("data.root");
    return none || path.startsWith("random:")
        ? path
        : Path.of(path).toAbsolutePath().normalize().toString();
  }

  /**
   * @return the differences, when they are allowed
   * @throws RunException with {@link ExitCode#INCOMPATIBLE} when they are not
   */
  static List<String> check(Numerics before, Numerics now, boolean deterministic) {
    List<String> differences = new ArrayList<>();
    Map<String, String> facts = new TreeMap<>(before.getFactsMap());
    facts.putAll(now.getFactsMap());
    for (String fact : facts.keySet()) {
      String was = before.getFactsOrDefault(fact, "unknown");
      String is = now.getFactsOrDefault(fact, "unknown");
      if (!was.equals(is)) {
        differences.add(fact + " was " + was + " and is now " + is);
      }
    }
    if (deterministic && !differences.isEmpty()) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          "the student computes otherwise than before: "
              + String.join("; ", differences)
              + "; the result would not be reproducible. Go on anyway with deterministic=false");
    }
    return differences;
  }

  /**
   * SHA-256 over the keys that make the run what it is, and their values. Paths are left out: one
   * file has several, and the data and the teacher's weights have digests of their own.
   */
  static String digest(RunConfig config) {
    StringBuilder text = new StringBuilder();
    leaves(ConfigLoader.toTree(config))
        .forEach(
            (key, value) -> {
              if (!PATHS.contains(key) && FREE.stream().noneMatch(key::startsWith)) {
                text.append(key).append('=').append(value).append('\n');
              }
            });
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(sha.digest(text.toString().getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Map<String, JsonNode> leaves(ObjectNode tree) {
    Map<String, JsonNode> leaves = new TreeMap<>();
    collect(tree, "", leaves);
    return leaves;
  }

  private static void collect(ObjectNode tree, String prefix, Map<String, JsonNode> leaves) {
    for (Map.Entry<String, JsonNode> entry : tree.properties()) {
      if (entry.getValue() instanceof ObjectNode section) {
        collect(section, prefix + entry.getKey() + ".", leaves);
      } else {
        leaves.put(prefix + entry.getKey(), entry.getValue());
      }
    }
  }
}
