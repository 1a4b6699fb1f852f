package org.maskedkd.data;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import org.maskedkd.tensor.Filter;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;

/** Bicubic resizing with antialiasing. */
final class Resize {
  private Resize() {}

  /** This image itself when it has that shape already. */
  static Image to(Image image, int height, int width) {
    if (image.height() == height && image.width() == width) {
      return image;
    }
    try (Scope scope = Scope.open()) {
      NDArray source =
          Tensors.fromBytes(
              scope.manager(),
              ByteBuffer.wrap(image.rgb()),
              DataType.UINT8,
              1,
              3,
              image.height(),
              image.width());
      ByteBuffer bytes = Tensors.bytes(Ops.resample(source, height, width, Filter.BICUBIC));
      byte[] rgb = new byte[3 * height * width];
      bytes.get(rgb);
      return new Image(height, width, rgb);
    }
  }
}
