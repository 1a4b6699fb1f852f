package org.maskedkd.runtime;

/** How a process of this project ends; the numbers follow {@code sysexits} and shells. */
public enum ExitCode {
  DONE(0),
  /** A wrong option, address or configuration key. */
  USAGE(64),
  /** Images or weights that cannot be used. */
  BAD_DATA(65),
  /** A peer stayed away past the retry budget. */
  PEER_AWAY(69),
  INTERNAL(70),
  CANNOT_WRITE(73),
  /** A peer, a checkpoint or numerics that do not fit. */
  INCOMPATIBLE(78),
  /** Stopped by SIGINT. */
  INTERRUPTED(130),
  /** Stopped by SIGTERM. */
  TERMINATED(143);

  private final int code;

  ExitCode(int code) {
    this.code = code;
  }

  public int code() {
    return code;
  }

  /** What a process meant that ended with {@code code}; {@link #INTERNAL} for any other number. */
  public static ExitCode of(int code) {
    for (ExitCode known : values()) {
      if (known.code == code) {
        return known;
      }
    }
    return INTERNAL;
  }
}
