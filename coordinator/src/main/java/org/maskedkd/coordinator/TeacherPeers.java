package org.maskedkd.coordinator;

import java.util.List;

/**
 * Where a run's teachers are.
 *
 * @param listed those with an address of their own
 * @param named names whose every address is a teacher, asked again and again
 */
public record TeacherPeers(List<Peer> listed, List<PeerName> named) {

  /** None, for a run that does not distil. */
  public static TeacherPeers none() {
    return new TeacherPeers(List.of(), List.of());
  }

  boolean isEmpty() {
    return listed.isEmpty() && named.isEmpty();
  }

  int size() {
    return listed.size() + named.size();
  }
}
