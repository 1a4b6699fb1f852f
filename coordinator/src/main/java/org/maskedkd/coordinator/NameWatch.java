package org.maskedkd.coordinator;

import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BiConsumer;

/**
 * Asks again and again which addresses names have. The look-ups are made by a thread of its own,
 * since they may take seconds; everything else happens on the event loop.
 */
final class NameWatch implements AutoCloseable {

  private final EventLoop loop;
  private final Duration every;
  private final BiConsumer<PeerName, Set<String>> found;
  private final BiConsumer<PeerName, String> failed;
  private final ExecutorService resolving;
  private boolean closed;

  /**
   * @param found gets a name's addresses each time
   * @param failed gets why a name has none that are known
   */
  NameWatch(
      EventLoop loop,
      Duration every,
      BiConsumer<PeerName, Set<String>> found,
      BiConsumer<PeerName, String> failed) {
    this.loop = loop;
    this.every = every;
    this.found = found;
    this.failed = failed;
    this.resolving =
        Executors.newCachedThreadPool(
            task -> {
              Thread thread = new Thread(task, "maskedkd-resolver");
              thread.setDaemon(true);
              return thread;
            });
  }

  /** Watches these names from now on. */
  void begin(List<PeerName> names) {
    names.forEach(this::ask);
  }

  private synchronized void ask(PeerName name) {
    if (!closed) {
      resolving.execute(() -> resolve(name));
    }
  }

  private void resolve(PeerName name) {
    try {
      Set<String> addresses = new LinkedHashSet<>(name.resolver().resolve());
      post(name, () -> found.accept(name, addresses));
    } catch (IOException | RuntimeException e) {
      post(name, () -> failed.accept(name, name.name() + " has no address: " + e));
    }
  }

  private synchronized void post(PeerName name, Runnable result) {
    if (!closed) {
      loop.execute(
          () -> {
            loop.schedule(every, () -> ask(name));
            result.run();
          });
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    resolving.shutdownNow();
  }
}
