package org.maskedkd.data;

import java.io.IOException;
import java.io.InputStream;
import java.util.HexFormat;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes decoders. */
public final class Decoders {
  private static final Logger log = LoggerFactory.getLogger(Decoders.class);
  private static final String REFERENCE = "reference.jpg";

  private Decoders() {}

  /**
   * @throws DataException when {@code TURBOJPEG} is asked for and the system does not have it
   */
  public static Decoder of(JpegLibrary library) {
    return switch (library) {
      case JDK -> named(new JdkDecoder());
      case TURBOJPEG -> named(turboJpeg());
      case AUTO -> {
        try {
          yield named(turboJpeg());
        } catch (DataException e) {
          log.info("JPEG files are decoded by the Java runtime: {}", e.getMessage());
          yield named(new JdkDecoder());
        }
      }
    };
  }

  /** The name of the decoder that {@code of(AUTO)} gives on this machine. */
  public static String name() {
    return of(JpegLibrary.AUTO).name();
  }

  private static Decoder turboJpeg() {
    try {
      return TurboJpeg.load();
    } catch (UnsatisfiedLinkError | NoClassDefFoundError e) {
      throw new DataException(
          "libturbojpeg is not on this system (package libturbojpeg0); install it, or choose the JDK's decoder",
          e);
    }
  }

  private static Decoder named(Decoder decoder) {
    Image picture = decoder.decode(reference(), REFERENCE);
    byte[] digest = Digests.sha256().digest(picture.rgb());
    return new Named(decoder, decoder.name() + "/" + HexFormat.of().formatHex(digest, 0, 4));
  }

  private static byte[] reference() {
    try (InputStream in = Decoders.class.getResourceAsStream(REFERENCE)) {
      if (in == null) {
        throw new IllegalStateException("the data module lacks its resource " + REFERENCE);
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new DataException("cannot read the resource " + REFERENCE, e);
    }
  }

  private record Named(Decoder decoder, String name) implements Decoder {
    @Override
    public Image decode(byte[] file, String name) {
      return decoder.decode(file, name);
    }
  }
}
