package org.maskedkd.tensor;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Writes a TorchScript archive around the source of one class without parameters: a zip of stored
 * entries holding the text, two tiny pickles and the format version.
 */
final class ScriptArchive {
  private static final String ROOT = "operators/";

  /** Below 10, libtorch rewrites calls of operators whose meaning changed since. */
  private static final String FORMAT_VERSION = "10\n";

  private ScriptArchive() {}

  /**
   * @param className the class the source declares
   * @param source its text; methods without a type for {@code self} are allowed
   */
  static byte[] write(String className, String source) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.setMethod(ZipOutputStream.STORED);
      store(zip, "data.pkl", pickledModule(className));
      String typed = source.replace("(self,", "(self: __torch__." + className + ",");
      store(zip, "code/__torch__.py", typed.getBytes(StandardCharsets.UTF_8));
      // Protocol 2, empty tuple, stop.
      store(zip, "constants.pkl", new byte[] {(byte) 0x80, 2, ')', '.'});
      store(zip, "version", FORMAT_VERSION.getBytes(StandardCharsets.US_ASCII));
    }
    return bytes.toByteArray();
  }

  /** An object of the class with the one attribute that every module has, {@code training}. */
  private static byte[] pickledModule(String className) throws IOException {
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    pickle.write(new byte[] {(byte) 0x80, 2});
    pickle.write(("c__torch__\n" + className + "\n").getBytes(StandardCharsets.US_ASCII));
    pickle.write(new byte[] {')', (byte) 0x81, '}', '('});
    pickle.write(new byte[] {'X', 8, 0, 0, 0});
    pickle.write("training".getBytes(StandardCharsets.US_ASCII));
    pickle.write(new byte[] {(byte) 0x88, 'u', 'b', '.'});
    return pickle.toByteArray();
  }

  private static void store(ZipOutputStream zip, String name, byte[] content) throws IOException {
    CRC32 crc = new CRC32();
    crc.update(content);
    ZipEntry entry = new ZipEntry(ROOT + name);
    entry.setTime(0); // equal bytes on every machine and day
    entry.setSize(content.length);
    entry.setCompressedSize(content.length);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(content);
    zip.closeEntry();
  }
}
