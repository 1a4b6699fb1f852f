package org.maskedkd.cli;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;

/** Signals that Java cannot send by itself. */
enum ProcessSignal {
  KILL,
  STOP,
  CONT;

  /** Sends it; nothing happens when there is no such process any more. */
  void send(long pid) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + name(), Long.toString(pid))
        .redirectOutput(Redirect.DISCARD)
        .redirectError(Redirect.DISCARD)
        .start()
        .waitFor();
  }
}
