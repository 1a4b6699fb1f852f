package org.maskedkd.runtime;

import io.grpc.Drainable;
import io.grpc.KnownLength;
import io.grpc.MethodDescriptor;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.concurrent.atomic.LongAdder;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The end of every message of {@code maskedkd.v1}: field {@value #FIELD}, a fixed64 whose lower
 * half is the CRC32C of all bytes before it and of the upper half, which is the message's number
 * within its direction of its call, from 0 on. TCP's own checksum lets one damaged segment in tens
 * of thousands pass, and a bit of a patch or a learning rate that is another one would go unnoticed
 * into the weights. To a reader that does not know the field it is one more unknown field.
 */
final class Seal {
  static final int FIELD = 1000;

  static final int BYTES = 2 + Long.BYTES;

  /** Field number and wire type 1, as a varint. */
  private static final short TAG = (short) ((((FIELD << 3) | 1) & 0x7f | 0x80) | (FIELD >> 4 << 8));

  /** Field 1001 as a varint of 1; no message of ours has it. */
  private static final byte[] PULSE = {(byte) 0xc8, 0x3e, 1};

  private static final LongAdder DAMAGED = new LongAdder();
  private static final LongAdder REPEATED = new LongAdder();

  private Seal() {}

  /** A message that is not the one that was sent. */
  static final class DamagedException extends Exception {
    private static final long serialVersionUID = 1L;

    DamagedException(String what) {
      super(what);
    }
  }

  /** Messages of this process that were damaged, or came in another order than they were sent. */
  static long damaged() {
    return DAMAGED.sum();
  }

  /** Messages of this process that came once more than they were sent. */
  static long repeated() {
    return REPEATED.sum();
  }

  /** A message on its way through gRPC, with its seal. */
  interface Raw {
    InputStream stream();
  }

  /** Does nothing to messages, so that the calls of this class see all their bytes. */
  static final MethodDescriptor.Marshaller<Raw> MARSHALLER =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(Raw message) {
          return message.stream();
        }

        @Override
        public Raw parse(InputStream stream) {
          return new Received(stream);
        }
      };

  /** What {@link Numbers#open} found. */
  sealed interface Content {}

  /** A message, without its seal. */
  record Fresh(InputStream message) implements Content {}

  /** A message that came before. */
  record Repeated() implements Content {}

  /** Nothing but a sign of life, see {@link Pulse}. */
  record Alive() implements Content {}

  /** The messages of one direction of a call. */
  static final class Numbers {
    private int next;

    /** The next message to be sent is a sign of life. */
    Raw pulse() {
      int number = next++;
      return () -> new Sealed(new ByteArrayInputStream(PULSE), number);
    }

    /**
     * The next message to be sent.
     *
     * @param marshaller writes it, more than once if gRPC tries the call again
     */
    <T> Raw seal(T message, MethodDescriptor.Marshaller<T> marshaller) {
      int number = next++;
      return () -> new Sealed(marshaller.stream(message), number);
    }

    /**
     * Looks at a message that came.
     *
     * @throws DamagedException when it is not the next one as it was sent
     */
    Content open(Raw message) throws DamagedException {
      byte[] bytes = ((Received) message).bytes();
      int length = bytes.length - BYTES;
      ByteBuffer end = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      if (length < 0 || end.getShort(length) != TAG) {
        throw damaged(
            "a message of "
                + bytes.length
                + " bytes without a checksum: it was damaged on its way,"
                + " or the peer runs another release");
      }
      int found = end.getInt(length + 2);
      int number = end.getInt(length + 2 + Integer.BYTES);
      CRC32C crc = new CRC32C();
      crc.update(bytes, 0, length);
      crc.update(bytes, length + 2 + Integer.BYTES, Integer.BYTES);
      if ((int) crc.getValue() != found) {
        throw damaged(
            String.format(
                "a message of %d bytes was damaged on its way: its checksum is %08x, expected %08x",
                length, (int) crc.getValue(), found));
      }
      if (number < next) {
        REPEATED.increment();
        return new Repeated();
      }
      if (number > next) {
        throw damaged("message " + number + " came where number " + next + " was expected");
      }
      next++;
      return Arrays.equals(bytes, 0, length, PULSE, 0, PULSE.length)
          ? new Alive()
          : new Fresh(new Opened(bytes, length));
    }

    private static DamagedException damaged(String what) {
      DAMAGED.increment();
      return new DamagedException(what);
    }
  }

  /** Reads all bytes while gRPC has them. */
  private static final class Received implements Raw {
    private final byte[] bytes;

    Received(InputStream stream) {
      try {
        // What is known saves the growing of an array.
        bytes =
            stream instanceof KnownLength
                ? stream.readNBytes(stream.available())
                : stream.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    byte[] bytes() {
      return bytes;
    }

    @Override
    public InputStream stream() {
      return new ByteArrayInputStream(bytes);
    }
  }

  /** A message's bytes, which whoever parses it may keep. */
  static final class Opened extends ByteArrayInputStream implements KnownLength {
    private Opened(byte[] bytes, int length) {
      super(bytes, 0, length);
    }

    /** All of the message and its seal; the message is the first {@link #available} bytes. */
    byte[] array() {
      return buf;
    }
  }

  /** A message as it is written, followed by its seal. */
  private static final class Sealed extends InputStream implements Drainable, KnownLength {
    private final InputStream message;
    private final int number;
    private @Nullable InputStream rest;

    Sealed(InputStream message, int number) {
      this.message = message;
      this.number = number;
    }

    @Override
    public int drainTo(OutputStream out) throws IOException {
      if (rest != null) {
        return (int) rest.transferTo(out);
      }
      Summing summing = new Summing(out);
      int length =
          message instanceof Drainable drainable
              ? drainable.drainTo(summing)
              : (int) message.transferTo(summing);
      ByteBuffer end = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
      end.putShort(TAG).putInt(0).putInt(number);
      summing.crc.update(end.array(), BYTES - Integer.BYTES, Integer.BYTES);
      end.putInt(2, (int) summing.crc.getValue());
      out.write(end.array());
      rest = InputStream.nullInputStream();
      return length + BYTES;
    }

    private InputStream rest() throws IOException {
      InputStream left = rest;
      if (left == null) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        drainTo(all);
        left = new ByteArrayInputStream(all.toByteArray());
        rest = left;
      }
      return left;
    }

    @Override
    public int read() throws IOException {
      return rest().read();
    }

    @Override
    public int read(byte[] into, int from, int count) throws IOException {
      return rest().read(into, from, count);
    }

    @Override
    public int available() throws IOException {
      return rest == null ? message.available() + BYTES : rest.available();
    }
  }

  private static final class Summing extends OutputStream {
    private final OutputStream out;
    final CRC32C crc = new CRC32C();

    Summing(OutputStream out) {
      this.out = out;
    }

    @Override
    public void write(int b) throws IOException {
      crc.update(b);
      out.write(b);
    }

    @Override
    public void write(byte[] bytes, int from, int count) throws IOException {
      crc.update(bytes, from, count);
      out.write(bytes, from, count);
    }
  }
}
