package org.maskedkd.coordinator;

import java.io.IOException;
import java.util.List;

/**
 * A name that stands for any number of stages, which come and go.
 *
 * @param name as the user wrote it
 * @param resolver says which addresses it has now
 * @param connector reaches one of them
 */
public record PeerName(String name, Resolver resolver, Connector connector) {

  /** Looks a name up. */
  public interface Resolver {
    /**
     * May block; called from a thread of its own.
     *
     * @return the addresses, at least one
     * @throws IOException when nobody knows the name now
     */
    List<String> resolve() throws IOException;
  }

  /** Makes the channel to an address. */
  public interface Connector {
    /**
     * Called on the run's thread.
     *
     * @return a peer whose channel the run shuts down when it is done with it
     */
    Peer connect(String address);
  }
}
