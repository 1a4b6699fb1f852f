package org.maskedkd.coordinator;

import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.schedule.Order;

/**
 * Reads a run's YAML: the defaults, over them the recipe that is named, over it the file, over it
 * the overrides {@code key=value}; then what follows from other values; then the checks. Whatever
 * is wrong is a {@link RunException} with {@link ExitCode#USAGE}.
 */
public final class ConfigLoader {

  static final ObjectMapper YAML =
      YAMLMapper.builder(
              YAMLFactory.builder()
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
                  .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
                  .enable(YAMLGenerator.Feature.ALWAYS_QUOTE_NUMBERS_AS_STRINGS)
                  .build())
          .propertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
          .addMixIn(Order.class, OrderText.class)
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
          .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
          .build();

  // YAML 1.1 takes 1e-4 for a string, because it has no point.
  private static final Pattern NUMBER =
      Pattern.compile("[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d+)?");

  /** The module of schedules knows no JSON. */
  private interface OrderText {
    @JsonValue
    String text();
  }

  private ConfigLoader() {}

  /** The configuration in {@code file} with {@code overrides} such as {@code schedule.epochs=5}. */
  public static RunConfig load(Path file, List<String> overrides) {
    try {
      return parse(Files.readString(file), file.toString(), overrides);
    } catch (NoSuchFileException e) {
      throw usage("no configuration file " + file + "; name one with -c FILE", e);
    } catch (IOException e) {
      throw usage("cannot read the configuration " + file + ": " + e, e);
    }
  }

  /** The configuration in {@code yaml}; {@code source} names it in messages. */
  public static RunConfig parse(String yaml, String source, List<String> overrides) {
    ObjectNode defaults = defaults();
    ObjectNode tree = overlaid(defaults, defaults, yaml, source, overrides);
    String recipe = tree.at("/augmentation/recipe").asText();
    if (!recipe.isEmpty()) {
      ObjectNode values = Recipes.values(recipe);
      requireEffect(recipe, values, object(yaml, source).path("augmentation"), source);
      ObjectNode base = defaults.deepCopy();
      ((ObjectNode) base.get("augmentation")).setAll(values);
      tree = overlaid(base, defaults, yaml, source, overrides);
    }
    derive(tree);
    RunConfig config = bind(tree, source);
    ConfigChecks.check(config);
    return config;
  }

  /** A recipe that an override names must have something left to decide. */
  private static void requireEffect(
      String recipe, ObjectNode values, JsonNode given, String source) {
    boolean named = !recipe.equals(given.path("recipe").asText());
    if (named && values.properties().stream().allMatch(value -> given.has(value.getKey()))) {
      throw usage(
          "augmentation.recipe="
              + recipe
              + " would change nothing, since "
              + source
              + " sets every key that the recipe has a value for, as the config.yaml of a run does;"
              + " remove the keys that the recipe shall decide, or set them one by one",
          null);
    }
  }

  private static ObjectNode overlaid(
      ObjectNode base, ObjectNode known, String yaml, String source, List<String> overrides) {
    ObjectNode tree = base.deepCopy();
    merge(tree, known, object(yaml, source), "", new Source(source, lines(yaml)));
    for (String override : overrides) {
      apply(tree, known, override);
    }
    return tree;
  }

  /** The whole configuration as YAML, every key included. */
  public static String toYaml(RunConfig config) {
    try {
      return YAML.writeValueAsString(config);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a configuration that cannot be written", e);
    }
  }

  /** The configuration as a tree of its YAML keys. */
  static ObjectNode toTree(RunConfig config) {
    return YAML.valueToTree(config);
  }

  /** The defaults with their comments, as a user may read them. */
  public static String defaultsYaml() {
    return resource("defaults.yaml");
  }

  /** The text of a file beside this class. */
  static String resource(String name) {
    try (InputStream in = Objects.requireNonNull(ConfigLoader.class.getResourceAsStream(name))) {
      return new String(in.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The defaults as a tree; {@code null} where a value follows from others. */
  static ObjectNode defaults() {
    return object(defaultsYaml(), "defaults.yaml");
  }

  /** The defaults as a configuration would have them, so that values compare with its values. */
  static ObjectNode resolvedDefaults() {
    ObjectNode tree = defaults();
    derive(tree);
    return toTree(bind(tree, "defaults.yaml"));
  }

  private record Source(String name, Map<String, Integer> lines) {
    String place(String key) {
      Integer line = lines.get(key);
      return line == null ? name : name + " line " + line;
    }
  }

  static ObjectNode object(String yaml, String source) {
    try {
      JsonNode tree = YAML.readTree(yaml);
      if (tree == null || tree.isMissingNode() || tree.isNull()) {
        return YAML.createObjectNode();
      }
      if (tree instanceof ObjectNode object) {
        return object;
      }
      throw usage(source + " is no set of keys but " + tree.getNodeType(), null);
    } catch (JsonProcessingException e) {
      JsonLocation at = e.getLocation();
      String place = at == null ? source : source + " line " + at.getLineNr();
      throw usage(place + " is no valid YAML: " + e.getOriginalMessage(), e);
    }
  }

  /** The line of each dotted key. */
  private static Map<String, Integer> lines(String yaml) {
    Map<String, Integer> lines = new HashMap<>();
    try (JsonParser parser = YAML.createParser(yaml)) {
      for (JsonToken t = parser.nextToken(); t != null; t = parser.nextToken()) {
        if (t == JsonToken.FIELD_NAME) {
          String pointer = parser.getParsingContext().pathAsPointer().toString();
          lines.putIfAbsent(
              pointer.substring(1).replace('/', '.'), parser.currentTokenLocation().getLineNr());
        }
      }
    } catch (IOException e) {
      throw usage("no valid YAML: " + e.getMessage(), e);
    }
    return lines;
  }

  private static void merge(
      ObjectNode into, ObjectNode known, ObjectNode from, String prefix, Source source) {
    for (Map.Entry<String, JsonNode> entry : from.properties()) {
      String key = prefix + entry.getKey();
      JsonNode standard = known.get(entry.getKey());
      if (standard == null) {
        throw unknown(key, source.place(key));
      }
      if (standard instanceof ObjectNode section) {
        if (entry.getValue().isNull()) {
          continue;
        }
        if (!(entry.getValue() instanceof ObjectNode given)) {
          throw usage(
              source.place(key)
                  + ": "
                  + key
                  + " is a section with keys of its own, found "
                  + entry.getValue(),
              null);
        }
        merge((ObjectNode) into.get(entry.getKey()), section, given, key + ".", source);
      } else {
        into.set(entry.getKey(), leaf(key, standard, entry.getValue(), source.place(key)));
      }
    }
  }

  private static void apply(ObjectNode tree, ObjectNode defaults, String override) {
    int equals = override.indexOf('=');
    if (equals < 1) {
      throw usage("override \"" + override + "\" is not of the form key=value", null);
    }
    String key = override.substring(0, equals);
    JsonNode value;
    try {
      JsonNode parsed = YAML.readTree(override.substring(equals + 1));
      value =
          parsed == null || parsed.isMissingNode() || parsed.isNull()
              ? TextNode.valueOf("")
              : parsed;
    } catch (JsonProcessingException e) {
      throw usage("override " + key + ": " + e.getOriginalMessage(), e);
    }
    String[] names = key.split("\\.", -1);
    ObjectNode from = YAML.createObjectNode();
    ObjectNode inner = from;
    for (int i = 0; i < names.length - 1; i++) {
      inner = inner.putObject(names[i]);
    }
    inner.set(names[names.length - 1], value);
    merge(tree, defaults, from, "", new Source("override \"" + override + "\"", Map.of()));
  }

  /** A value in the form its default has: text stays text, numbers without a point are numbers. */
  private static JsonNode leaf(String key, JsonNode standard, JsonNode value, String place) {
    if (standard.isTextual()) {
      if (value.isNumber() || value.isBoolean()) {
        return TextNode.valueOf(value.asText());
      }
    } else if (value.isTextual() && NUMBER.matcher(value.textValue()).matches()) {
      return DoubleNode.valueOf(Double.parseDouble(value.textValue()));
    } else if (value.isTextual() && value.textValue().isEmpty() && standard.isNull()) {
      return standard;
    }
    if (value.isNull() && !standard.isNull()) {
      throw usage(place + ": " + key + " has no value; its default is " + standard, null);
    }
    return value;
  }

  private static void derive(ObjectNode tree) {
    ObjectNode optimizer = (ObjectNode) tree.get("optimizer");
    ObjectNode schedule = (ObjectNode) tree.get("schedule");
    if (optimizer.get("learning-rate").isNull()) {
      optimizer.put("learning-rate", 5e-4 * schedule.get("batch").asInt() / 512);
    }
    if (optimizer.get("warmup-epochs").isNull()) {
      optimizer.put("warmup-epochs", Math.min(5, schedule.get("epochs").asInt() / 10.0));
    }
    if (schedule.get("window").isNull()) {
      schedule.set("window", schedule.get("batch"));
    }
  }

  private static RunConfig bind(ObjectNode tree, String source) {
    try {
      return YAML.treeToValue(tree, RunConfig.class);
    } catch (ValueInstantiationException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw usage(path(e) + " in " + source + ": " + cause.getMessage(), e);
    } catch (MismatchedInputException e) {
      Class<?> type = e.getTargetType();
      String expected =
          type != null && type.isEnum()
              ? "one of " + values(type)
              : "a value of type " + name(type);
      String key = path(e);
      JsonNode found = tree.at("/" + key.replace('.', '/').replace('[', '/').replace("]", ""));
      throw usage(key + " is " + found + " in " + source + ", expected " + expected, e);
    } catch (JsonProcessingException e) {
      throw usage(source + ": " + e.getOriginalMessage(), e);
    }
  }

  private static String name(@Nullable Class<?> type) {
    return type == null ? "another kind" : type.getSimpleName();
  }

  private static String values(Class<?> type) {
    return java.util.Arrays.stream(type.getEnumConstants())
        .map(value -> YAML.valueToTree(value).asText())
        .collect(Collectors.joining(", "));
  }

  private static String path(JsonMappingException e) {
    return e.getPath().stream()
        .map(r -> r.getFieldName() == null ? "[" + r.getIndex() + "]" : r.getFieldName())
        .collect(Collectors.joining("."))
        .replace(".[", "[");
  }

  private static RunException unknown(String key, String place) {
    return usage(
        place
            + ": unknown key \""
            + key
            + "\"; the nearest known one is \""
            + NearestKey.of(key, keys(defaults(), ""))
            + "\"",
        null);
  }

  private static List<String> keys(ObjectNode tree, String prefix) {
    List<String> keys = new ArrayList<>();
    for (Map.Entry<String, JsonNode> entry : tree.properties()) {
      keys.add(prefix + entry.getKey());
      if (entry.getValue() instanceof ObjectNode section) {
        keys.addAll(keys(section, prefix + entry.getKey() + "."));
      }
    }
    return keys;
  }

  private static RunException usage(String message, @Nullable Throwable cause) {
    return new RunException(ExitCode.USAGE, message, cause);
  }
}
