package org.maskedkd.runtime;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The HTTP side of a process: {@code /metrics} for Prometheus, {@code /livez} and {@code /readyz}
 * for probes. It shows state and changes none, so it may listen on any address.
 */
public final class Management implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Management.class);
  private static final String OPENMETRICS =
      "application/openmetrics-text; version=1.0.0; charset=utf-8";
  // Prometheus 3 rejects a scrape whose content type it does not know, so this one is exact.
  private static final String TEXT = "text/plain; version=0.0.4; charset=utf-8";
  private static final String PLAIN = "text/plain; charset=utf-8";

  static {
    // The JDK's server waits for ever for the rest of a request, on the thread that serves all.
    defaultProperty("sun.net.httpserver.maxReqTime", "10");
    defaultProperty("sun.net.httpserver.maxRspTime", "30");
    defaultProperty("jdk.httpserver.maxConnections", "64");
  }

  private static void defaultProperty(String name, String value) {
    if (System.getProperty(name) == null) {
      System.setProperty(name, value);
    }
  }

  private record Readiness(boolean ready, String reason) {}

  private final HttpServer server;
  private final ExecutorService executor;
  private final PrometheusMeterRegistry registry;
  private volatile Readiness readiness = new Readiness(/* ready= */ false, "starting");

  /**
   * Listens; not ready yet.
   *
   * @param hostPort such as {@code 127.0.0.1:9400}; port 0 takes a free one
   * @throws RunException (usage) when the port is in use
   */
  public Management(String hostPort, PrometheusMeterRegistry registry) {
    this.registry = registry;
    HostPort address = HostPort.parse(hostPort);
    try {
      server = HttpServer.create(address.resolve(), /* backlog= */ 0);
    } catch (IOException e) {
      throw address.cannotListen(e, "--management");
    }
    executor =
        Executors.newSingleThreadExecutor(
            task -> {
              Thread thread = new Thread(task, "maskedkd-management");
              thread.setDaemon(true);
              return thread;
            });
    server.setExecutor(executor);
    server.createContext("/", this::answer);
    server.start();
    log.info("management on port {}", port());
  }

  /**
   * Sets what {@code /readyz} answers.
   *
   * @param reason why, for a person; such as {@code "loading weights"}
   */
  public void ready(boolean ready, String reason) {
    readiness = new Readiness(ready, reason);
  }

  /**
   * The address so many ports behind another.
   *
   * @param hostPort as {@link #Management} takes it
   * @return the same if its port is 0, which any number of servers may ask for
   */
  public static String following(String hostPort, int ports) {
    HostPort address = HostPort.parse(hostPort);
    return address.port() == 0
        ? hostPort
        : new HostPort(address.host(), address.port() + ports).toString();
  }

  /** The port that is listened on. */
  public int port() {
    return server.getAddress().getPort();
  }

  @Override
  public void close() {
    server.stop(/* delay= */ 0);
    executor.shutdown();
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String method = exchange.getRequestMethod();
      if (!method.equals("GET") && !method.equals("HEAD")) {
        exchange.getResponseHeaders().set("Allow", "GET, HEAD");
        send(exchange, 405, PLAIN, "only GET and HEAD\n");
        return;
      }
      Readiness now = readiness;
      switch (exchange.getRequestURI().getPath()) {
        case "/metrics" -> {
          String accept =
              String.join(",", exchange.getRequestHeaders().getOrDefault("Accept", List.of()));
          String type = accept.contains("application/openmetrics-text") ? OPENMETRICS : TEXT;
          send(exchange, 200, type, registry.scrape(type));
        }
        case "/livez" -> send(exchange, 200, PLAIN, "alive\n");
        case "/readyz" -> send(exchange, now.ready() ? 200 : 503, PLAIN, now.reason() + "\n");
        default -> send(exchange, 404, PLAIN, "only /metrics, /livez and /readyz\n");
      }
    }
  }

  private static void send(HttpExchange exchange, int status, String type, String body)
      throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", type);
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.sendResponseHeaders(status, /* responseLength= */ -1);
      return;
    }
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
  }
}
