package org.maskedkd.teacher;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.maskedkd.proto.v1.Blocks;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.FeatureLayers;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VitConfig;
import org.maskedkd.vit.VitOutput;
import org.maskedkd.vit.WeightsOrigin;

/**
 * The frozen teacher with its own input statistics: kept patches in, logits out. It holds no state
 * between calls; one thread at a time may use it.
 */
public final class TeacherModel implements TeacherDevice, AutoCloseable {
  private final VisionTransformer model;
  private final double[] mean;
  private final double[] std;
  private final ModelInfo info;

  /**
   * Takes ownership of {@code model}, which is closed with this.
   *
   * @param notices what was adapted at loading, for people
   */
  public TeacherModel(VisionTransformer model, List<String> notices) {
    this(model, notices, WeightsOrigin.NONE);
  }

  TeacherModel(VisionTransformer model, List<String> notices, WeightsOrigin origin) {
    this.model = model;
    VitConfig config = model.config();
    this.mean = config.meanValues();
    this.std = config.stdValues();
    this.info =
        ModelInfo.newBuilder()
            .setModel(config.canonical())
            .setGrid(
                Grid.newBuilder()
                    .setImageHeight(config.imageHeight())
                    .setImageWidth(config.imageWidth())
                    .setPatch(config.patch())
                    .setChannels(config.channels()))
            .setClasses(config.classes())
            .setParameters(model.parameterCount())
            .setWeightsDigest(model.digest())
            .addAllMean(config.mean())
            .addAllStd(config.std())
            .addAllNotices(notices)
            .setWeightsFileSha256(origin.fileSha256())
            .setWeightsLicense(origin.license())
            .setBlocks(
                Blocks.newBuilder()
                    .setCount(config.depth())
                    .setWidth(config.width())
                    .setClassToken(!config.attendsByClass()))
            .build();
  }

  /** What this teacher is, as told at the handshake. */
  public ModelInfo info() {
    return info;
  }

  VitConfig config() {
    return model.config();
  }

  /**
   * The logits of {@link #forward} alone, without merging.
   *
   * @return float32 {@code [batch, classes]}, row-major
   */
  public float[] logits(ByteBuffer patches, int[] kept, int batch) {
    return forward(patches, kept, batch, /* merge= */ 0, FeatureLayers.NONE).logits();
  }

  @Override
  public Signal forward(
      ByteBuffer patches, int[] kept, int batch, int merge, FeatureLayers features) {
    int perImage = kept.length / batch;
    long[] places = Arrays.stream(kept).asLongStream().toArray();
    try (GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      NDArray bytes =
          Tensors.fromBytes(
              scope.manager(),
              patches,
              DataType.UINT8,
              batch,
              perImage,
              model.config().patchValues());
      NDArray normalised = Ops.normalizePatches(bytes, mean, std);
      NDArray indices = Tensors.of(scope.manager(), places, batch, perImage);
      VitOutput output =
          merge > 0
              ? model.forwardMerging(normalised, indices, merge)
              : model.forward(normalised, indices, null, null, features);
      return new Signal(
          Tensors.floats(output.logits()),
          together(output.features().tokens()),
          together(output.features().attention()));
    }
  }

  private static float[] together(List<NDArray> blocks) {
    int each = blocks.isEmpty() ? 0 : Math.toIntExact(blocks.get(0).size());
    float[] all = new float[Math.multiplyExact(blocks.size(), each)];
    for (int i = 0; i < blocks.size(); i++) {
      System.arraycopy(Tensors.floats(blocks.get(i)), 0, all, i * each, each);
    }
    return all;
  }

  @Override
  public boolean onCallingThread() {
    return Torch.threads() == 1;
  }

  /** One forward of a single black image: the first one pays for what the engine loads lazily. */
  void warmUp() {
    int patches = model.config().patches();
    int[] all = new int[patches];
    Arrays.setAll(all, i -> i);
    logits(ByteBuffer.allocate(patches * model.config().patchValues()), all, 1);
  }

  @Override
  public void close() {
    model.close();
  }
}
