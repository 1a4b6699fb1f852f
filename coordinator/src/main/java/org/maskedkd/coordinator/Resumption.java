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

  private static final String EXACT = "the same gradients, within 1e-5 of a tensor's largest entry";
  private static final String NO_EFFECT = "no effect on what is learned";
  private static final String ROUNDING =
      "operators may round otherwise; the comparison of the numerics decides";

  /**
   * Keys, or beginnings of keys, that leave what is learned as it is, and why a change may pass.
   */
  private static final Map<String, String> FREE =
      Map.ofEntries(
          Map.entry("deterministic", "says whether other numerics are accepted"),
          Map.entry("student.threads", ROUNDING),
          Map.entry("student.retry-seconds", NO_EFFECT),
          Map.entry("student.silence-seconds", NO_EFFECT),
          Map.entry("student.recompute", "the same result, computed in another order"),
          Map.entry("teacher.address", EXACT),
          Map.entry("teacher.replicas", EXACT),
          Map.entry("teacher.threads", ROUNDING),
          Map.entry("teacher.retry-seconds", NO_EFFECT),
          Map.entry("teacher.resolve-seconds", NO_EFFECT),
          Map.entry("teacher.first-answer-seconds", NO_EFFECT),
          Map.entry("teacher.deadline-factor", NO_EFFECT),
          Map.entry("teacher.least-deadline-seconds", NO_EFFECT),
          Map.entry("teacher.hedge-fraction", NO_EFFECT),
          Map.entry("data.workers", NO_EFFECT),
          Map.entry("augmentation.recipe", "a name only; the values that it stood for decide"),
          Map.entry("schedule.epochs", "the learning rate follows another curve from here on"),
          Map.entry("schedule.micro-batches", EXACT),
          Map.entry("schedule.window", EXACT),
          Map.entry("schedule.order", EXACT),
          Map.entry("schedule.profile", NO_EFFECT),
          Map.entry("timeline.", NO_EFFECT),
          Map.entry("report.", NO_EFFECT),
          Map.entry("evaluation.", "measured otherwise from here on, learned the same"),
          Map.entry("checkpoint.", NO_EFFECT));

  /**
   * Keys that came after the first checkpoints: with these values they leave the digest as it was.
   */
  private static final Map<String, String> LATER =
      Map.ofEntries(
          Map.entry("schedule.stale-masks", "0"),
          Map.entry("student.train", "\"all\""),
          Map.entry("teacher.image", "\"upsampled\""),
          Map.entry("teacher.merge", "0"),
          Map.entry("masking.who", "\"teacher\""),
          Map.entry("augmentation.rand-augment", "\"\""),
          Map.entry("masking.keep-end", "0.0"),
          Map.entry("masking.row", "\"class\""),
          Map.entry("masking.layer", "-1"),
          Map.entry("masking.order", "\"top\""),
          Map.entry("masking.random-share", "0.0"),
          Map.entry("masking.model", "\"\""),
          Map.entry("augmentation.repeats", "1"),
          Map.entry("optimizer.layer-decay", "1.0"),
          Map.entry("distillation.heads", "\"mean\""),
          Map.entry("distillation.manifold.weight", "0.0"),
          Map.entry("distillation.manifold.patch", "4.0"),
          Map.entry("distillation.manifold.sample", "0.1"),
          Map.entry("distillation.manifold.random", "0.2"),
          Map.entry("distillation.manifold.rows", "192"),
          Map.entry("distillation.manifold.group", "32"),
          Map.entry("distillation.manifold.student-blocks", "[]"),
          Map.entry("distillation.manifold.teacher-blocks", "[]"),
          Map.entry("distillation.attention.weight", "0.0"),
          Map.entry("distillation.attention.student-blocks", "[]"),
          Map.entry("distillation.attention.teacher-blocks", "[]"),
          Map.entry("data.shuffle-shards", "8"),
          Map.entry("augmentation.color-jitter", "0.0"));

  /** Where a run is found and how its processes are reached: free, and nothing to tell of. */
  private static final Set<String> PLACES =
      Set.of("runs-dir", "name", "student.address", "tls.certificate", "tls.key", "tls.authority");

  /** Keys that name a file or folder, which may be written from another working directory. */
  private static final Set<String> PATHS =
      Set.of("data.root", "student.init", "teacher.weights", "masking.weights");

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
    List<String> notices = new ArrayList<>();
    leaves(ConfigLoader.toTree(now))
        .forEach(
            (key, value) -> {
              JsonNode was = old.get(key);
              if (same(key, was, value) || PLACES.contains(key)) {
                return;
              }
              String change = key + " was " + was + " and is now " + value;
              String why = whyFree(key);
              // They say whose masks are stale.
              boolean cut = key.startsWith("schedule.micro-batches");
              if (why == null || (cut && now.schedule().staleMasks() > 0)) {
                refused.add(change);
              } else {
                notices.add(change + ": " + why);
              }
            });
    if (!refused.isEmpty()) {
      throw new RunException(
          ExitCode.USAGE,
          "the run cannot go on with another configuration: "
              + String.join("; ", refused)
              + "; begin a new run under another name");
    }
    return notices;
  }

  /** Why a key may change; null if it may not. */
  private static @Nullable String whyFree(String key) {
    return FREE.entrySet().stream()
        .filter(free -> key.startsWith(free.getKey()))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElse(null);
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
   * @param who computes, for the message
   * @return the differences, when they are allowed
   * @throws RunException with {@link ExitCode#INCOMPATIBLE} when they are not
   */
  static List<String> check(String who, Numerics before, Numerics now, boolean deterministic) {
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
          who
              + " computes otherwise than before: "
              + String.join("; ", differences)
              + "; the result would not be reproducible. Go on anyway with deterministic=false");
    }
    return differences;
  }

  /**
   * The keys that make the run what it is, and their values as JSON. Paths are left out: one file
   * has several, and the data and the teacher's weights have digests of their own.
   */
  static Map<String, String> deciding(RunConfig config) {
    return deciding(ConfigLoader.toTree(config));
  }

  /** Whether a key makes the run what it is. */
  static boolean decides(String key) {
    return !PATHS.contains(key) && !PLACES.contains(key) && whyFree(key) == null;
  }

  /** The same of a configuration of nothing but defaults. */
  static Map<String, String> decidingDefaults() {
    return deciding(ConfigLoader.resolvedDefaults());
  }

  private static Map<String, String> deciding(ObjectNode tree) {
    Map<String, String> deciding = new TreeMap<>();
    leaves(tree)
        .forEach(
            (key, value) -> {
              if (decides(key)) {
                deciding.put(key, value.toString());
              }
            });
    return deciding;
  }

  /** SHA-256 over the deciding keys and their values. */
  static String digest(RunConfig config) {
    StringBuilder text = new StringBuilder();
    deciding(config)
        .forEach(
            (key, value) -> {
              if (!value.equals(LATER.get(key))) {
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
