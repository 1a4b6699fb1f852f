package org.maskedkd.student;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.Batch;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.tensor.Filter;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.vit.ModelConfig;

/**
 * What the teacher gets to see of the student's images: the chosen patches, cut on the teacher's
 * grid from the same uint8 pixels that the student trains on. A teacher of another resolution sees
 * the student's view resampled (App. C of the paper, `upsampled`), or one of its own that was made
 * from the source's pixels (`native`).
 */
final class TeacherView {
  private static final int MAX_SIDE = 4096;

  private final Grid grid;
  private final ModelConfig student;
  private final PatchChoice choice;
  private final int rows;
  private final int columns;
  private final int patchBytes;

  /**
   * @throws IllegalArgumentException if {@code grid} is none, or not of the student's channels
   */
  TeacherView(Grid grid, ModelConfig student, PatchChoice choice) {
    check(grid, student);
    this.grid = grid;
    this.student = student;
    this.choice = choice;
    this.rows = grid.getImageHeight() / grid.getPatch();
    this.columns = grid.getImageWidth() / grid.getPatch();
    this.patchBytes = grid.getChannels() * grid.getPatch() * grid.getPatch();
  }

  /**
   * @throws IllegalArgumentException if patches cannot be cut so
   */
  static void check(Grid grid, ModelConfig student) {
    int patch = grid.getPatch();
    boolean sound =
        patch >= 1
            && side(grid.getImageHeight(), patch)
            && side(grid.getImageWidth(), patch)
            && grid.getChannels() == student.channels();
    if (!sound) {
      throw new IllegalArgumentException(
          "a teacher's grid has sides of 1 to %d pixels, multiples of its patch, and %d channels, found %dx%d, patch %d, %d channels"
              .formatted(
                  MAX_SIDE,
                  student.channels(),
                  grid.getImageHeight(),
                  grid.getImageWidth(),
                  patch,
                  grid.getChannels()));
    }
  }

  private static boolean side(int pixels, int patch) {
    return pixels >= patch && pixels <= MAX_SIDE && pixels % patch == 0;
  }

  /**
   * @param indices {@code [images, kept]} row-major, ascending in each row
   * @param patches uint8 {@code [images, kept, channels*patch*patch]}
   */
  record Kept(int[] indices, ByteBuffer patches, int images, int perImage, int patchBytes) {}

  /**
   * Images to choose and cut from.
   *
   * @param students uint8 {@code [count, channels, height, width]} at the student's resolution
   * @param teachers the same at the teacher's; null where it sees the student's
   */
  record Images(ByteBuffer students, @Nullable ByteBuffer teachers) {
    /** Images {@code [from, to)} of a batch, views. */
    static Images of(Batch batch, int from, int to) {
      Batch.Second second = batch.second();
      if (second == null) {
        return new Images(RunData.images(batch, from, to), null);
      }
      int perImage = second.images().length / batch.count();
      return new Images(
          RunData.images(batch, from, to),
          ByteBuffer.wrap(second.images(), from * perImage, (to - from) * perImage).slice());
    }
  }

  /** Whether the student's attention is needed for choosing. */
  boolean needsAttention(double keep) {
    return choice.needsStudent(kept(keep), rows * columns);
  }

  private int kept(double keep) {
    return choice.teachersKept(keep, rows * columns);
  }

  /** Whether the weights of the step before could choose the teacher's patches. */
  boolean mayLookAhead(double keep) {
    return needsAttention(keep) && !choice.masksStudent(keep);
  }

  /** What chooses the patches. */
  PatchChoice choice() {
    return choice;
  }

  /**
   * @param saliency one score map per image on the student's grid; not read where it is not needed
   * @param step with {@code firstPosition} seeds the random criterion
   */
  Kept choose(
      Images images, int count, float[][] saliency, double keep, long step, int firstPosition) {
    float[][] scores =
        choice.scores(images.students(), count, saliency, kept(keep), rows * columns);
    return byScores(images, count, scores, keep, step, firstPosition);
  }

  /** As {@link #choose}, from the score maps that count, a guide's where there is one. */
  Kept byScores(
      Images images, int count, float[][] scores, double keep, long step, int firstPosition) {
    int[] indices = indices(count, scores, keep, step, firstPosition);
    ByteBuffer pixels = atTeachersResolution(images, count);
    int k = kept(keep);
    return new Kept(indices, cut(pixels, indices, k), count, k, patchBytes);
  }

  /** Only the indices of {@link #byScores}. */
  int[] indices(int count, float[][] saliency, double keep, long step, int firstPosition) {
    return choice.all(saliency, count, rows, columns, kept(keep), step, firstPosition);
  }

  private ByteBuffer atTeachersResolution(Images all, int count) {
    if (all.teachers() != null) {
      return all.teachers();
    }
    ByteBuffer images = all.students();
    if (grid.getImageHeight() == student.imageHeight()
        && grid.getImageWidth() == student.imageWidth()) {
      return images;
    }
    try (Scope scope = Scope.open()) {
      NDArray small =
          Tensors.fromBytes(
              scope.manager(),
              images,
              DataType.UINT8,
              count,
              grid.getChannels(),
              student.imageHeight(),
              student.imageWidth());
      NDArray resampled =
          Ops.resample(small, grid.getImageHeight(), grid.getImageWidth(), Filter.BICUBIC);
      return ByteBuffer.allocate(Math.multiplyExact(count, bytesPerImage()))
          .put(Tensors.bytes(resampled))
          .flip();
    }
  }

  /** Of an image's patches, when all are kept. */
  long mostBytesPerImage() {
    return bytesPerImage();
  }

  private int bytesPerImage() {
    return grid.getChannels() * grid.getImageHeight() * grid.getImageWidth();
  }

  private ByteBuffer cut(ByteBuffer images, int[] indices, int k) {
    int side = grid.getPatch();
    int width = grid.getImageWidth();
    int plane = width * grid.getImageHeight();
    int base = images.position();
    ByteBuffer patches = ByteBuffer.allocate(indices.length * patchBytes);
    for (int i = 0; i < indices.length; i++) {
      int origin =
          base
              + i / k * bytesPerImage()
              + indices[i] / columns * side * width
              + indices[i] % columns * side;
      for (int channel = 0; channel < grid.getChannels(); channel++) {
        for (int row = 0; row < side; row++) {
          int from = origin + channel * plane + row * width;
          patches.put(patches.position(), images, from, side);
          patches.position(patches.position() + side);
        }
      }
    }
    return patches.flip();
  }
}
