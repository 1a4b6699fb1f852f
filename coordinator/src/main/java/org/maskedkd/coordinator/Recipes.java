package org.maskedkd.coordinator;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/** The sets of values in {@code recipes.yaml}, which a configuration names by one key. */
final class Recipes {
  private static final String FILE = "recipes.yaml";

  private Recipes() {}

  /** The recipes with their comments, as a user may read them. */
  static String yaml() {
    return ConfigLoader.resource(FILE);
  }

  /**
   * A recipe's values by their keys in the section {@code augmentation}.
   *
   * @throws RunException with {@link ExitCode#USAGE} if there is no recipe of this name
   */
  static ObjectNode values(String name) {
    ObjectNode recipes = ConfigLoader.object(yaml(), FILE);
    JsonNode recipe = recipes.get(name);
    if (!(recipe instanceof ObjectNode values)) {
      List<String> names = new ArrayList<>();
      recipes.fieldNames().forEachRemaining(names::add);
      throw new RunException(
          ExitCode.USAGE,
          "augmentation.recipe is \"%s\", expected one of %s, or nothing"
              .formatted(name, String.join(", ", names)));
    }
    return values;
  }
}
