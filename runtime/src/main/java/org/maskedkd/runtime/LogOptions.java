package org.maskedkd.runtime;

import picocli.CommandLine.Option;

/** How a command that is a process of a run logs; a mixin of each of them. */
public final class LogOptions {
  @Option(
      names = "--log-format",
      defaultValue = "text",
      paramLabel = "FORMAT",
      description =
          "text: lines for people; json: an object a line, and nothing else. Default: ${DEFAULT-VALUE}")
  private LogFormat format = LogFormat.TEXT;

  public LogFormat format() {
    return format;
  }
}
