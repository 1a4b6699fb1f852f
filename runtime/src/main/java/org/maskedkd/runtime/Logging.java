package org.maskedkd.runtime;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.filter.ThresholdFilter;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.FileAppender;
import ch.qos.logback.core.OutputStreamAppender;
import ch.qos.logback.core.encoder.Encoder;
import ch.qos.logback.core.spi.ContextAwareBase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.bridge.SLF4JBridgeHandler;

/**
 * How processes log: short lines for people on standard error, and everything, with stack traces,
 * in a file per process; or both as JSON. Logback finds this class through the service loader, so
 * tests and commands that set nothing up have the same defaults.
 */
public final class Logging extends ContextAwareBase implements Configurator {
  private static final String FILE_PATTERN =
      "%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %-5level [%thread] %logger{0}: %msg%n%ex";

  private static volatile LogFormat format = LogFormat.TEXT;
  private static volatile String process = "";

  @Override
  public ExecutionStatus configure(LoggerContext context) {
    start(context, Level.INFO);
    return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
  }

  /**
   * Sets standard error up anew.
   *
   * @param process what this process is, such as {@code student}; begins every line of text
   * @param level least level shown there: {@code debug}, {@code info}, {@code warn} or {@code
   *     error}
   * @param format of standard error, and of the file if there is one
   */
  public static void configure(String process, String level, LogFormat format) {
    Level known = Level.toLevel(level, /* defaultLevel= */ null);
    if (known == null) {
      throw new RunException(
          ExitCode.USAGE, "log level '" + level + "' is not one of debug, info, warn and error");
    }
    Logging.process = process;
    Logging.format = format;
    LoggerContext context = context();
    context.reset();
    start(context, known);
    // What Java itself prints of a thread that failed is no JSON.
    Thread.setDefaultUncaughtExceptionHandler(
        format == LogFormat.TEXT
            ? null
            : (thread, e) ->
                context.getLogger(Logging.class).error("thread {} failed", thread.getName(), e));
  }

  /** How this process logs, and says whatever else it has to say. */
  public static LogFormat format() {
    return format;
  }

  /**
   * Says where this process serves: to whoever started it, on standard output, or in the log where
   * nothing but JSON is to be read.
   *
   * @param toParent whether the process that started this one reads its standard output
   */
  public static void listening(String address, boolean toParent) {
    if (format == LogFormat.TEXT || toParent) {
      System.out.println("listening " + address);
    } else {
      context().getLogger(Logging.class).info("listening {}", address);
    }
  }

  /**
   * Also logs to {@code file}, at debug level, appending; its folder is made.
   *
   * @throws RunException (cannot write) when that fails
   */
  public static void toFile(Path file) {
    try {
      Path folder = file.toAbsolutePath().getParent();
      if (folder != null) {
        Files.createDirectories(folder);
      }
      // Logback only notes to itself that a file cannot be opened.
      Files.writeString(file, "", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new RunException(ExitCode.CANNOT_WRITE, "cannot write the log " + file + ": " + e, e);
    }
    FileAppender<ILoggingEvent> appender = new FileAppender<>();
    appender.setFile(file.toString());
    attach(context(), appender, encoder(FILE_PATTERN));
  }

  private static LoggerContext context() {
    return (LoggerContext) LoggerFactory.getILoggerFactory();
  }

  private static void start(LoggerContext context, Level level) {
    ConsoleAppender<ILoggingEvent> console = new ConsoleAppender<>();
    console.setTarget("System.err");
    ThresholdFilter threshold = new ThresholdFilter();
    threshold.setLevel(level.levelStr);
    threshold.start();
    console.addFilter(threshold);
    attach(
        context,
        console,
        encoder(
            "%d{HH:mm:ss} %-5level " + (process.isEmpty() ? "" : process + ": ") + "%msg%n%nopex"));
    context.addTurboFilter(new LogRate(System::nanoTime));
    context.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(Level.WARN);
    context.getLogger("org.maskedkd").setLevel(Level.DEBUG);
    // Says on every machine without a GPU that there is none.
    context.getLogger("ai.djl.util.cuda").setLevel(Level.ERROR);
    // gRPC logs through java.util.logging.
    SLF4JBridgeHandler.removeHandlersForRootLogger();
    SLF4JBridgeHandler.install();
  }

  private static Encoder<ILoggingEvent> encoder(String textPattern) {
    if (format == LogFormat.JSON) {
      return new JsonEvents(process);
    }
    PatternLayoutEncoder encoder = new PatternLayoutEncoder();
    encoder.setPattern(textPattern);
    return encoder;
  }

  private static void attach(
      LoggerContext context,
      OutputStreamAppender<ILoggingEvent> appender,
      Encoder<ILoggingEvent> encoder) {
    encoder.setContext(context);
    encoder.start();
    appender.setContext(context);
    appender.setEncoder(encoder);
    appender.start();
    context.getLogger(Logger.ROOT_LOGGER_NAME).addAppender(appender);
  }
}
