package org.maskedkd.helm;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.fabric8.openshift.api.model.monitoring.v1.PodMonitor;
import io.fabric8.openshift.api.model.monitoring.v1.PrometheusRule;
import io.fabric8.openshift.api.model.monitoring.v1.ServiceMonitor;
import io.kubernetes.client.openapi.JSON;
import io.kubernetes.client.openapi.models.V1ConfigMap;
import io.kubernetes.client.openapi.models.V1Deployment;
import io.kubernetes.client.openapi.models.V1Job;
import io.kubernetes.client.openapi.models.V1JobSpec;
import io.kubernetes.client.openapi.models.V1NetworkPolicy;
import io.kubernetes.client.openapi.models.V1PersistentVolumeClaim;
import io.kubernetes.client.openapi.models.V1Pod;
import io.kubernetes.client.openapi.models.V1PodDisruptionBudget;
import io.kubernetes.client.openapi.models.V1Service;
import io.kubernetes.client.openapi.models.V1ServiceAccount;
import io.kubernetes.client.openapi.models.V2HorizontalPodAutoscaler;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Rendered documents, and the models that they must fit. */
final class Manifests {
  private static final ObjectMapper YAML =
      new ObjectMapper(new YAMLFactory())
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .setAnnotationIntrospector(new NoSetterOfAnything());

  private static final Map<String, Class<?>> CORE =
      Map.ofEntries(
          Map.entry("ConfigMap", V1ConfigMap.class),
          Map.entry("Deployment", V1Deployment.class),
          Map.entry("HorizontalPodAutoscaler", V2HorizontalPodAutoscaler.class),
          Map.entry("Job", V1Job.class),
          Map.entry("NetworkPolicy", V1NetworkPolicy.class),
          Map.entry("PersistentVolumeClaim", V1PersistentVolumeClaim.class),
          Map.entry("Pod", V1Pod.class),
          Map.entry("PodDisruptionBudget", V1PodDisruptionBudget.class),
          Map.entry("Service", V1Service.class),
          Map.entry("ServiceAccount", V1ServiceAccount.class));

  private static final Map<String, Class<?>> OPERATOR =
      Map.of(
          "PodMonitor",
          PodMonitor.class,
          "PrometheusRule",
          PrometheusRule.class,
          "ServiceMonitor",
          ServiceMonitor.class);

  /** Fields of kinds without a model here, as their definitions have them. */
  private static final Map<String, Set<String>> FIELDS =
      Map.of(
          "Certificate",
          Set.of(
              "secretName",
              "dnsNames",
              "duration",
              "renewBefore",
              "usages",
              "privateKey",
              "issuerRef"),
          "JobSet",
          Set.of(
              "suspend",
              "ttlSecondsAfterFinished",
              "network",
              "successPolicy",
              "failurePolicy",
              "replicatedJobs"),
          "ScaledObject",
          Set.of("scaleTargetRef", "minReplicaCount", "maxReplicaCount", "triggers"));

  /** Models of fabric8 keep what they do not know; without that they refuse it. */
  private static final class NoSetterOfAnything extends JacksonAnnotationIntrospector {
    private static final long serialVersionUID = 1;

    @Override
    public Boolean hasAnySetter(Annotated annotated) {
      return false;
    }
  }

  private Manifests() {}

  /** The documents of a rendering; a key that is there twice is refused. */
  static List<JsonNode> parse(String rendered) {
    List<JsonNode> documents = new ArrayList<>();
    try (MappingIterator<JsonNode> all =
        YAML.readerFor(JsonNode.class).readValues(rendered.stripTrailing())) {
      while (all.hasNext()) {
        JsonNode document = all.next();
        if (document != null && document.isObject()) {
          documents.add(document);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return documents;
  }

  /** Throws if a field is unknown, has another type, or is missing although it is required. */
  static void requireValid(JsonNode document) {
    String kind = document.path("kind").asText();
    if (CORE.containsKey(kind)) {
      JSON.deserialize(document.toString(), CORE.get(kind));
    } else if (OPERATOR.containsKey(kind)) {
      try {
        YAML.treeToValue(document, OPERATOR.get(kind));
      } catch (IOException e) {
        throw new IllegalArgumentException(kind + ": " + e.getMessage(), e);
      }
    } else if (FIELDS.containsKey(kind)) {
      Iterator<String> names = document.path("spec").fieldNames();
      while (names.hasNext()) {
        String name = names.next();
        if (!FIELDS.get(kind).contains(name)) {
          throw new IllegalArgumentException(kind + " has no field " + name);
        }
      }
      document
          .path("spec")
          .path("replicatedJobs")
          .forEach(
              job ->
                  JSON.deserialize(job.path("template").path("spec").toString(), V1JobSpec.class));
    } else {
      throw new IllegalArgumentException("a kind without a model: " + kind);
    }
  }

  /** Of every workload, as {@code {metadata, spec}}; a pod is its own. */
  static List<JsonNode> podTemplates(List<JsonNode> documents) {
    List<JsonNode> templates = new ArrayList<>();
    for (JsonNode document : documents) {
      switch (document.path("kind").asText()) {
        case "Job", "Deployment" -> templates.add(document.path("spec").path("template"));
        case "JobSet" ->
            document
                .path("spec")
                .path("replicatedJobs")
                .forEach(job -> templates.add(job.path("template").path("spec").path("template")));
        case "Pod" -> templates.add(document);
        default -> {}
      }
    }
    return templates;
  }

  /** Of Jobs, and of those in JobSets. */
  static List<JsonNode> jobSpecs(List<JsonNode> documents) {
    List<JsonNode> specs = new ArrayList<>();
    for (JsonNode document : documents) {
      if (document.path("kind").asText().equals("Job")) {
        specs.add(document.path("spec"));
      }
      document
          .path("spec")
          .path("replicatedJobs")
          .forEach(job -> specs.add(job.path("template").path("spec")));
    }
    return specs;
  }

  /** Sidecars first. */
  static List<JsonNode> containers(JsonNode template) {
    List<JsonNode> containers = new ArrayList<>();
    template.path("spec").path("initContainers").forEach(containers::add);
    template.path("spec").path("containers").forEach(containers::add);
    return containers;
  }

  static List<JsonNode> ofKind(List<JsonNode> documents, String kind) {
    return documents.stream().filter(d -> d.path("kind").asText().equals(kind)).toList();
  }
}
