package org.maskedkd.runtime;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;

/**
 * An address as users write it: {@code host:port}, {@code [::1]:port}, or {@code :port} for every
 * interface.
 */
record HostPort(String host, int port) {

  static HostPort parse(String text) {
    int colon = text.lastIndexOf(':');
    String host = colon < 0 ? text : text.substring(0, colon);
    boolean bracketed = host.startsWith("[") && host.endsWith("]");
    if (colon < 0 || (host.contains(":") && !bracketed)) {
      throw wrong(text, "a colon and a port at the end");
    }
    int port;
    try {
      port = Integer.parseInt(text.substring(colon + 1));
    } catch (NumberFormatException e) {
      throw wrong(text, "a number as port");
    }
    if (port < 0 || port > 65535) {
      throw wrong(text, "a port from 0 to 65535");
    }
    return new HostPort(bracketed ? host.substring(1, host.length() - 1) : host, port);
  }

  private static RunException wrong(String text, String lacks) {
    return new RunException(
        ExitCode.USAGE,
        "address '" + text + "' lacks " + lacks + "; write HOST:PORT, such as 127.0.0.1:9091");
  }

  InetSocketAddress resolve() {
    if (host.isEmpty() || host.equals("*")) {
      return new InetSocketAddress(port);
    }
    try {
      return new InetSocketAddress(InetAddress.getByName(host), port);
    } catch (UnknownHostException e) {
      throw new RunException(ExitCode.USAGE, "host '" + host + "' is not known on this machine", e);
    }
  }

  /** Why this address cannot be listened on, in words. */
  RunException cannotListen(IOException failure, String option) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      String said = String.valueOf(t.getMessage());
      if (t instanceof BindException || said.contains("Address already in use")) {
        boolean inUse = said.contains("in use");
        return new RunException(
            ExitCode.USAGE,
            inUse
                ? "port "
                    + port
                    + " of "
                    + host
                    + " is in use by another process; choose another with "
                    + option
                    + " HOST:PORT (port 0 takes a free one)"
                : "cannot listen on "
                    + this
                    + " ("
                    + said
                    + "); choose another with "
                    + option
                    + " HOST:PORT",
            failure);
      }
    }
    return new RunException(
        ExitCode.USAGE,
        "cannot listen on "
            + this
            + " ("
            + failure.getMessage()
            + "); choose another with "
            + option
            + " HOST:PORT",
        failure);
  }

  @Override
  public String toString() {
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
  }
}
