package org.maskedkd.runtime;

/**
 * The largest messages, as each side says at the handshake. A sender asks here before it sends,
 * since a receiver could only reset the call.
 */
public final class MessageLimits {
  /** What a stage takes: tensors come in frames of 1 MiB, and plans are smaller. */
  public static final int REQUEST_BYTES = 2 << 20;

  /** What a coordinator takes; the rest leaves room for the records of many steps. */
  public static final int ANSWER_BYTES = Transport.MAX_MESSAGE_BYTES;

  /** A frame, with names and shapes. */
  private static final int LEAST_BYTES = TensorFrames.FRAME_BYTES + (64 << 10);

  private MessageLimits() {}

  static void requireRequest(int bytes) {
    if (bytes > REQUEST_BYTES) {
      throw new IllegalArgumentException(
          "a message of more than the "
              + REQUEST_BYTES
              + " bytes that this stage accepts, as it says at the handshake");
    }
  }

  /**
   * What may be sent to a peer.
   *
   * @param told what the peer says that it accepts; 0 if it does not say
   * @return bytes
   * @throws RunException (incompatible) if not even a frame of a tensor fits
   */
  public static int agree(int told, String peer) {
    if (told == 0) {
      return REQUEST_BYTES;
    }
    if (told < LEAST_BYTES) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          "%s accepts messages of %d bytes, and frames of tensors take up to %d: run the same release everywhere"
              .formatted(peer, told, LEAST_BYTES));
    }
    return told;
  }

  /**
   * Called before sending.
   *
   * @param agreed what {@link #agree} gave
   * @throws RunException (incompatible) naming both sizes
   */
  public static void requireFits(String message, int bytes, int agreed) {
    if (bytes > agreed) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          "%s has %d bytes, and the peer said at the handshake that it accepts %d"
              .formatted(message, bytes, agreed));
    }
  }
}
