package org.maskedkd.student;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.runtime.Release;

/**
 * Where a student's weights come from and what they expect of an image: strings that stand in every
 * checkpoint's manifest and in every weights file's metadata. docs/checkpoints.md lists them.
 */
final class RunProvenance {
  private final Map<String, String> facts = new TreeMap<>();

  RunProvenance(OpenStudent spec, ModelInfo model, RunData data) {
    facts.put("program", Release.version());
    facts.put("protocol", Integer.toString(Protocol.PROTOCOL_VERSION_VALUE));
    facts.put("java", Runtime.version().toString());
    facts.put("run", spec.getRun());
    facts.put("seed", Long.toString(spec.getSeed()));
    facts.put("model", model.getModel());
    facts.put("initial_weights_sha256", model.getWeightsDigest());
    if (!spec.getStudent().getInit().isEmpty()) {
      facts.put("init_file_sha256", model.getWeightsFileSha256());
      facts.put("init_license", model.getWeightsLicense());
    }
    facts.put("data_sha256", data.fingerprint());
    facts.put("image_size", Integer.toString(model.getGrid().getImageHeight()));
    facts.put("eval_crop", Double.toString(data.evalCrop()));
    facts.put("mean", joined(model.getMeanList()));
    facts.put("std", joined(model.getStdList()));
    facts.put("classes", json(data.classes()));
  }

  /** These facts and those that the coordinator adds. */
  Map<String, String> with(Map<String, String> more) {
    Map<String, String> all = new TreeMap<>(more);
    all.putAll(facts);
    return all;
  }

  private static String joined(List<Double> values) {
    return values.stream().map(String::valueOf).collect(Collectors.joining(","));
  }

  private static String json(List<String> names) {
    try {
      return new ObjectMapper().writeValueAsString(names);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a list of names is always JSON", e);
    }
  }
}
