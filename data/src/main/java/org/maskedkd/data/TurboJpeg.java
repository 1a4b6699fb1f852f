package org.maskedkd.data;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;
import org.jspecify.annotations.Nullable;

/** JPEG decoding by libturbojpeg; everything it is not made for goes to the JDK. */
final class TurboJpeg implements Decoder {
  static final String LIBRARY = "turbojpeg";

  private static final int TJPF_RGB = 0;

  private final Functions functions;
  private final JdkDecoder jdk = new JdkDecoder();

  /** The library's C interface, version 2 of it, which version 3 still has. */
  interface Functions extends Library {
    @Nullable Pointer tjInitDecompress();

    int tjDecompress2(
        Pointer handle,
        byte[] jpeg,
        NativeLong size,
        byte[] pixels,
        int width,
        int pitch,
        int height,
        int format,
        int flags);

    String tjGetErrorStr2(Pointer handle);

    int tjDestroy(Pointer handle);
  }

  private TurboJpeg(Functions functions) {
    this.functions = functions;
  }

  /**
   * @throws UnsatisfiedLinkError when the system has no such library
   */
  static TurboJpeg load() {
    return new TurboJpeg(Native.load("turbojpeg", Functions.class));
  }

  @Override
  public String name() {
    return LIBRARY;
  }

  @Override
  public Image decode(byte[] file, String name) {
    if (!JpegFile.recognises(file)) {
      return jdk.decode(file, name);
    }
    JpegFile jpeg = JpegFile.parse(file, name);
    if (jpeg.components() != 1 && jpeg.components() != 3) {
      return jdk.jpeg(jpeg, name);
    }
    JdkDecoder.checkSize(jpeg.width(), jpeg.height(), name);
    return decompress(jpeg, name);
  }

  private Image decompress(JpegFile jpeg, String name) {
    byte[] plain = jpeg.plain();
    int pixels = jpeg.width() * jpeg.height();
    byte[] interleaved = new byte[3 * pixels];
    Pointer handle = functions.tjInitDecompress();
    if (handle == null) {
      throw new DataException(name + ": libturbojpeg has no memory for a decoder");
    }
    try {
      int failed =
          functions.tjDecompress2(
              handle,
              plain,
              new NativeLong(plain.length),
              interleaved,
              jpeg.width(),
              3 * jpeg.width(),
              jpeg.height(),
              TJPF_RGB,
              /* flags= */ 0);
      if (failed != 0) {
        String message = functions.tjGetErrorStr2(handle);
        // Harmless warnings come this way too, with the whole picture.
        if (!message.contains("extraneous bytes before marker")) {
          throw new CorruptImageException(name, "cannot be decoded as JPEG (" + message + ")");
        }
      }
    } finally {
      functions.tjDestroy(handle);
    }
    byte[] planes = new byte[3 * pixels];
    Planes.split(interleaved, pixels, planes);
    return new Image(jpeg.height(), jpeg.width(), planes);
  }
}
