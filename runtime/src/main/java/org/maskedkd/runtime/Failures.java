package org.maskedkd.runtime;

import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * Failures as they cross the wire. A status code alone cannot tell bad data from a wrong option, so
 * the exit code travels beside it in the trailer {@value #TRAILER}.
 */
public final class Failures {
  static final String TRAILER = "maskedkd-exit-code";

  private static final Metadata.Key<String> EXIT_CODE =
      Metadata.Key.of(TRAILER, Metadata.ASCII_STRING_MARSHALLER);

  // A status message is a header, percent-encoded, and a peer drops a connection whose headers
  // exceed 8 KiB.
  private static final int LONGEST_MESSAGE = 2000;

  private Failures() {}

  /** What a service answers a call with that failed with {@code failure}. */
  public static StatusRuntimeException toStatus(Throwable failure) {
    Throwable t = unwrap(failure);
    if (t instanceof StatusRuntimeException already) {
      return already;
    }
    if (t instanceof RunException run) {
      return status(run.exitCode(), message(run));
    }
    if (t instanceof IllegalArgumentException) {
      return status(ExitCode.USAGE, message(t));
    }
    return status(ExitCode.INTERNAL, t.getClass().getSimpleName() + ": " + message(t));
  }

  /**
   * What a call's failure means to the user of the process that made it.
   *
   * @param peer names the other end in the message, such as {@code "the teacher at 127.0.0.1:9091"}
   */
  public static RunException fromStatus(Throwable failure, String peer) {
    Throwable t = unwrap(failure);
    if (t instanceof RunException run) {
      return run;
    }
    Status status = statusOf(t);
    if (status == null) {
      return new RunException(
          ExitCode.INTERNAL, peer + ": " + t.getClass().getSimpleName() + ": " + message(t), t);
    }
    String said = said(status);
    ExitCode told = exitCodeOf(t);
    if (told != null) {
      return new RunException(told, peer + ": " + said, t);
    }
    String distrust = TlsFailure.ofServer(t, peer);
    if (distrust != null) {
      return new RunException(ExitCode.INCOMPATIBLE, distrust, t);
    }
    return switch (status.getCode()) {
      case UNAVAILABLE ->
          new RunException(
              ExitCode.PEER_AWAY,
              peer
                  + " cannot be reached ("
                  + said
                  + "); see that it runs and that the address is right",
              t);
      case DEADLINE_EXCEEDED ->
          new RunException(
              ExitCode.PEER_AWAY, peer + " did not answer in time (" + said + "); see its log", t);
      case CANCELLED ->
          // A message over the other side's limit looks like this too: gRPC resets the stream and
          // tells only its own side why.
          new RunException(
              ExitCode.PEER_AWAY,
              peer
                  + " reset the call ("
                  + said
                  + "): it was stopped, or got a message larger than it accepts; its log says which",
              t);
      case RESOURCE_EXHAUSTED ->
          new RunException(
              ExitCode.INCOMPATIBLE,
              peer
                  + " and this process do not agree on the largest message ("
                  + said
                  + "; this process accepts "
                  + Transport.MAX_MESSAGE_BYTES
                  + " bytes and cuts tensors into frames of "
                  + TensorFrames.FRAME_BYTES
                  + "); run the same version on both sides",
              t);
      case UNIMPLEMENTED ->
          new RunException(
              ExitCode.INCOMPATIBLE,
              peer
                  + " does not offer this call ("
                  + said
                  + "); see that the address is the right stage's",
              t);
      case INTERNAL ->
          // Services say more than that; this is the transport, which could not read what came.
          new RunException(ExitCode.PEER_AWAY, broken(peer, said), t);
      default ->
          new RunException(ExitCode.INTERNAL, peer + ": " + status.getCode() + ": " + said, t);
    };
  }

  /**
   * As {@link #fromStatus}, of a peer that has answered this process before: what neither it said
   * itself nor TLS is the network's doing, such as a call whose name was damaged on its way.
   */
  public static RunException fromKnown(Throwable failure, String peer) {
    RunException why = fromStatus(failure, peer);
    Throwable t = unwrap(failure);
    Status status = statusOf(t);
    if (status == null
        || why.exitCode() == ExitCode.PEER_AWAY
        || exitCodeOf(t) != null
        || TlsFailure.ofServer(t, peer) != null) {
      return why;
    }
    return new RunException(ExitCode.PEER_AWAY, broken(peer, said(status)), t);
  }

  private static String said(Status status) {
    return status.getDescription() == null ? status.getCode().name() : status.getDescription();
  }

  private static String broken(String peer, String said) {
    return "the connection to " + peer + " broke (" + said + ")";
  }

  private static StatusRuntimeException status(ExitCode exit, String message) {
    Status status =
        switch (exit) {
          case USAGE, BAD_DATA -> Status.INVALID_ARGUMENT;
          case PEER_AWAY -> Status.UNAVAILABLE;
          case CANNOT_WRITE, INCOMPATIBLE -> Status.FAILED_PRECONDITION;
          case INTERRUPTED, TERMINATED -> Status.CANCELLED;
          case DONE, INTERNAL -> Status.INTERNAL;
        };
    Metadata trailers = new Metadata();
    trailers.put(EXIT_CODE, Integer.toString(exit.code()));
    return status.withDescription(message).asRuntimeException(trailers);
  }

  private static Throwable unwrap(Throwable t) {
    Throwable cause = t.getCause();
    boolean wrapper = t instanceof CompletionException || t instanceof ExecutionException;
    return wrapper && cause != null ? unwrap(cause) : t;
  }

  private static @Nullable Status statusOf(Throwable t) {
    if (t instanceof StatusRuntimeException s) {
      return s.getStatus();
    }
    return t instanceof StatusException s ? s.getStatus() : null;
  }

  private static @Nullable ExitCode exitCodeOf(Throwable t) {
    Metadata trailers = Status.trailersFromThrowable(t);
    String told = trailers == null ? null : trailers.get(EXIT_CODE);
    for (ExitCode exit : ExitCode.values()) {
      if (Integer.toString(exit.code()).equals(told)) {
        return exit;
      }
    }
    return null;
  }

  private static String message(Throwable t) {
    String message = t.getMessage() == null ? t.toString() : t.getMessage();
    return message.length() <= LONGEST_MESSAGE
        ? message
        : message.substring(0, LONGEST_MESSAGE) + " ...";
  }
}
