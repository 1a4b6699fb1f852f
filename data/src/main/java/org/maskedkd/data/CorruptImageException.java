package org.maskedkd.data;

import org.jspecify.annotations.Nullable;

/**
 * One image cannot be decoded in full. Only this failure may be skipped; a disk error, for one, may
 * not.
 */
public final class CorruptImageException extends DataException {
  private static final long serialVersionUID = 1;

  CorruptImageException(String name, String what, @Nullable Throwable cause) {
    super(
        name
            + ": "
            + what
            + "; replace or remove the file, or choose on-corrupt: skip to use another image of its class",
        cause);
  }

  CorruptImageException(String name, String what) {
    this(name, what, null);
  }
}
