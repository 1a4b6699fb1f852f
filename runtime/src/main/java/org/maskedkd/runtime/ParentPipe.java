package org.maskedkd.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.slf4j.LoggerFactory;

/**
 * Ends a process with the one that started it. The parent holds the other end of the child's
 * standard input and never writes; the system closes it however the parent dies, which no signal
 * and no shutdown hook would tell.
 */
public final class ParentPipe {
  private ParentPipe() {}

  /**
   * Calls {@code onClosed} on a thread of its own once {@code pipe} ends.
   *
   * @param pipe as a rule {@code System.in}
   */
  public static void watch(InputStream pipe, Runnable onClosed) {
    Thread watcher =
        new Thread(
            () -> {
              try {
                pipe.transferTo(OutputStream.nullOutputStream());
              } catch (IOException e) {
                // A pipe that cannot be read has no parent at its other end either.
                LoggerFactory.getLogger(ParentPipe.class).warn("standard input broke", e);
              }
              onClosed.run();
            },
            "maskedkd-parent");
    watcher.setDaemon(true);
    watcher.start();
  }
}
