package org.maskedkd.vit;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A weights file under timm's names, whatever its own are: those of Hugging Face's ViT, DeiT and
 * CLIP, with queries, keys and values apart, and those that a training program's wrappers put words
 * before.
 */
final class NamedTensors implements AutoCloseable {
  private static final String PROJECTION = "embeddings.patch_embeddings.projection.weight";

  /** Whose names they are, and the tensor that tells. */
  private enum Naming {
    TIMM("patch_embed.proj.weight"),
    HUGGING_FACE(PROJECTION),
    HUGGING_FACE_CLIP(ClipNames.PROJECTION);

    private final String sign;

    Naming(String sign) {
      this.sign = sign;
    }
  }

  /** What wrappers put before every name. */
  private static final Pattern WRAPPERS =
      Pattern.compile("((module|model|backbone|encoder|teacher|student|visual|vit|deit)\\.)*");

  /** Of Hugging Face's files, what no classifier reads. */
  private static final Pattern UNUSED =
      Pattern.compile("pooler\\..*|embeddings\\.mask_token|.*position_ids");

  /** Of older files of Swin, what follows from the architecture. */
  private static final Pattern COMPUTED =
      Pattern.compile("layers\\.\\d+\\.blocks\\.\\d+\\.(attn\\.relative_position_index|attn_mask)");

  private static final Pattern MERGING = Pattern.compile("layers\\.(\\d+)\\.downsample\\.(.*)");

  private static final Pattern BLOCK = Pattern.compile("blocks\\.(\\d+)\\.(.*)\\.(weight|bias)");

  private static final Map<String, String> OUTSIDE = new LinkedHashMap<>();
  private static final Map<String, List<String>> INSIDE = new LinkedHashMap<>();

  static {
    OUTSIDE.put("cls_token", "embeddings.cls_token");
    OUTSIDE.put("dist_token", "embeddings.distillation_token");
    OUTSIDE.put("pos_embed", "embeddings.position_embeddings");
    OUTSIDE.put("patch_embed.proj.weight", PROJECTION);
    OUTSIDE.put("patch_embed.proj.bias", "embeddings.patch_embeddings.projection.bias");
    OUTSIDE.put("norm.weight", "layernorm.weight");
    OUTSIDE.put("norm.bias", "layernorm.bias");
    INSIDE.put("norm1", List.of("layernorm_before"));
    INSIDE.put(
        "attn.qkv",
        List.of(
            "attention.attention.query", "attention.attention.key", "attention.attention.value"));
    INSIDE.put("attn.proj", List.of("attention.output.dense"));
    INSIDE.put("norm2", List.of("layernorm_after"));
    INSIDE.put("mlp.fc1", List.of("intermediate.dense"));
    INSIDE.put("mlp.fc2", List.of("output.dense"));
  }

  private final SafetensorsFile file;
  private final Naming naming;

  /** With a merging of neighbours at the end of the first stage, which newer files have not. */
  private final boolean olderSwin;

  /** Of each of the file's tensors that is not called so itself: the name without wrappers. */
  private final Map<String, String> bare = new LinkedHashMap<>();

  private NamedTensors(SafetensorsFile file, String wrappers, Naming naming) {
    this.file = file;
    this.naming = naming;
    for (String name : file.names()) {
      String stripped = name.startsWith(wrappers) ? name.substring(wrappers.length()) : name;
      String other = bare.put(stripped, name);
      if (other != null) {
        file.close();
        throw new WeightsException(
            "%s holds both %s and %s, which are the same parameter; take one of them out"
                .formatted(file.path(), other, name));
      }
    }
    olderSwin = bare.containsKey("layers.0.downsample.reduction.weight");
  }

  /**
   * Opens a file. One that has neither kind of name is taken as it is.
   *
   * @throws WeightsException if it is no sound safetensors file
   */
  static NamedTensors open(Path path) {
    SafetensorsFile file = SafetensorsFile.open(path);
    for (Naming naming : Naming.values()) {
      String end = naming.sign;
      for (String name : file.names()) {
        String before = name.endsWith(end) ? name.substring(0, name.length() - end.length()) : null;
        if (before != null && WRAPPERS.matcher(before).matches()) {
          return new NamedTensors(file, before, naming);
        }
      }
    }
    return new NamedTensors(file, "", Naming.TIMM);
  }

  Path path() {
    return file.path();
  }

  /** The architecture, where the file says it itself. */
  Optional<ModelConfig> described() {
    return ModelConfig.describedIn(file);
  }

  /** The file's own names of a parameter's parts, one after another along the first axis. */
  private List<String> parts(String parameter) {
    return names(parameter).stream().map(name -> bare.getOrDefault(name, name)).toList();
  }

  private List<String> names(String parameter) {
    return switch (naming) {
      case TIMM -> List.of(older(parameter));
      case HUGGING_FACE -> huggingFace(parameter);
      case HUGGING_FACE_CLIP -> ClipNames.of(parameter, comparesNames());
    };
  }

  /** Whether the head's output is compared with embeddings of the classes' names, as CLIP does. */
  private boolean comparesNames() {
    return bare.containsKey(ParameterShapes.TEXT);
  }

  private List<String> huggingFace(String parameter) {
    Matcher block = BLOCK.matcher(parameter);
    List<String> inside = block.matches() ? INSIDE.get(block.group(2)) : null;
    if (inside != null) {
      return inside.stream()
          .map(part -> "encoder.layer.%s.%s.%s".formatted(block.group(1), part, block.group(3)))
          .toList();
    }
    String head =
        parameter
            .replaceFirst(
                "^head\\.",
                bare.containsKey("cls_classifier.weight") ? "cls_classifier." : "classifier.")
            .replaceFirst("^head_dist\\.", "distillation_classifier.");
    return List.of(OUTSIDE.getOrDefault(parameter, head));
  }

  /** As timm called it in earlier versions. */
  private String older(String parameter) {
    Matcher merging = MERGING.matcher(parameter);
    if (olderSwin && merging.matches()) {
      // At the end of the stage before, where it is at the beginning of the next one now.
      return "layers.%d.downsample.%s"
          .formatted(Integer.parseInt(merging.group(1)) - 1, merging.group(2));
    }
    if (bare.containsKey(parameter)) {
      return parameter;
    }
    return parameter
        .replaceFirst("\\.ls([12])\\.gamma$", ".gamma_$1")
        .replaceFirst("^head\\.fc\\.", "head.");
  }

  /** A projection that has no bias where timm's head has one. */
  private boolean isZero(String parameter) {
    return naming == Naming.HUGGING_FACE_CLIP
        && comparesNames()
        && parameter.equals("head.bias")
        && contains("head.weight");
  }

  boolean contains(String parameter) {
    return isZero(parameter) || parts(parameter).stream().allMatch(file::contains);
  }

  /** Of the first part that is no tensor of floats; else of the first. */
  SafetensorsType type(String parameter) {
    List<String> parts = parts(isZero(parameter) ? "head.weight" : parameter);
    return parts.stream()
        .map(file::type)
        .filter(type -> !type.readsAsFloat())
        .findFirst()
        .orElse(file.type(parts.get(0)));
  }

  /** Of all parts together; of the first one alone where they do not fit each other. */
  long[] shape(String parameter) {
    if (isZero(parameter)) {
      return new long[] {shape("head.weight")[0]};
    }
    List<String> parts = parts(parameter);
    long[] shape = file.shape(parts.get(0));
    for (String part : parts.subList(1, parts.size())) {
      long[] more = file.shape(part);
      if (more.length != shape.length
          || !Arrays.equals(more, 1, more.length, shape, 1, shape.length)) {
        return file.shape(parts.get(0));
      }
      shape[0] += more[0];
    }
    return naming == Naming.HUGGING_FACE_CLIP ? ClipNames.shape(parameter, shape) : shape;
  }

  float[] floats(String parameter) {
    if (isZero(parameter)) {
      return new float[(int) shape(parameter)[0]];
    }
    List<String> parts = parts(parameter);
    if (parts.size() == 1) {
      return file.readFloats(parts.get(0));
    }
    List<float[]> read = parts.stream().map(file::readFloats).toList();
    float[] all = new float[read.stream().mapToInt(part -> part.length).sum()];
    int end = 0;
    for (float[] part : read) {
      System.arraycopy(part, 0, all, end, part.length);
      end += part.length;
    }
    return all;
  }

  /** The file's tensors that are of none of these parameters, in alphabetical order. */
  Set<String> others(Set<String> parameters) {
    Set<String> known = new HashSet<>();
    parameters.forEach(parameter -> known.addAll(parts(parameter)));
    Set<String> others = new TreeSet<>();
    bare.forEach(
        (name, own) -> {
          boolean unused =
              switch (naming) {
                case TIMM -> COMPUTED.matcher(name).matches();
                case HUGGING_FACE -> UNUSED.matcher(name).matches();
                case HUGGING_FACE_CLIP -> ClipNames.isUnused(name);
              };
          if (!known.contains(own) && !unused) {
            others.add(own);
          }
        });
    return others;
  }

  /** The largest block's number plus one, of blocks whose parameters begin so. */
  int blocks(String before) {
    Pattern numbered = Pattern.compile(Pattern.quote(before) + "(\\d+)\\..*");
    return bare.keySet().stream()
        .map(numbered::matcher)
        .filter(Matcher::matches)
        .mapToInt(found -> Integer.parseInt(found.group(1)) + 1)
        .max()
        .orElse(0);
  }

  /** Blocks of a plain transformer. */
  int depth() {
    return blocks(
        switch (naming) {
          case TIMM -> "blocks.";
          case HUGGING_FACE -> "encoder.layer.";
          case HUGGING_FACE_CLIP -> ClipNames.BLOCKS;
        });
  }

  /** Null where there is none. */
  long @Nullable [] shapeOrNull(String parameter) {
    return contains(parameter) ? shape(parameter) : null;
  }

  @Override
  public void close() {
    file.close();
  }
}
