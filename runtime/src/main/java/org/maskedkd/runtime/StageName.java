package org.maskedkd.runtime;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.security.Security;
import java.util.List;
import java.util.stream.Stream;

/**
 * A name that stands for every address it has, such as that of a headless service: {@code
 * dns:teachers:9091} or {@code dns:///teachers:9091}.
 */
public final class StageName {
  private static final String SCHEME = "dns:";
  private static final String CACHE_SECONDS = "1";

  private final HostPort hostPort;

  private StageName(HostPort hostPort) {
    this.hostPort = hostPort;
  }

  /** Whether a user wrote a name and not a single address. */
  public static boolean isName(String text) {
    return text.startsWith(SCHEME);
  }

  /**
   * The name that a user wrote.
   *
   * @throws RunException (usage) when it lacks the scheme, a host or a port
   */
  public static StageName parse(String text) {
    if (!isName(text)) {
      throw new RunException(ExitCode.USAGE, "name '" + text + "' does not begin with " + SCHEME);
    }
    HostPort parsed = HostPort.parse(text.substring(SCHEME.length()).replaceFirst("^///", ""));
    if (parsed.host().isEmpty() || parsed.port() == 0 || parsed.host().contains("/")) {
      throw new RunException(
          ExitCode.USAGE,
          "name '"
              + text
              + "' has no host and port; write dns:HOST:PORT, such as dns:teachers:9091");
    }
    return new StageName(parsed);
  }

  /**
   * Makes Java forget addresses after a second. By itself it keeps them for half a minute. To be
   * called before this process has looked up any name, since the setting is read only then.
   */
  public static void keepNothing() {
    Security.setProperty("networkaddress.cache.ttl", CACHE_SECONDS);
    Security.setProperty("networkaddress.cache.negative.ttl", CACHE_SECONDS);
  }

  /**
   * All its addresses now, for {@link NetworkLoop#connect(StageName, String, Tls)}. Blocks.
   *
   * @throws UnknownHostException when nobody knows the name
   */
  public List<String> resolve() throws UnknownHostException {
    return Stream.of(InetAddress.getAllByName(hostPort.host()))
        .map(address -> new HostPort(address.getHostAddress(), hostPort.port()).toString())
        .toList();
  }

  /** What a certificate must be for. */
  String authority() {
    return hostPort.toString();
  }

  @Override
  public String toString() {
    return SCHEME + hostPort;
  }
}
