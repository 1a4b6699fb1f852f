package org.maskedkd.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Stands between a coordinator and its stages and does harm, by a seed. */
final class FaultyNetwork implements AutoCloseable {
  private final List<FaultTimes> times = new ArrayList<>();
  private final List<FaultyWire> wires = new ArrayList<>();
  private final List<FaultyCalls> calls = new ArrayList<>();
  private final List<String> addresses = new ArrayList<>();

  private FaultyNetwork() {}

  /**
   * Before each of these addresses one of its own.
   *
   * @param kinds none for a network that only passes on
   * @param meanSeconds between two faults of one kind on the way to one stage
   */
  static FaultyNetwork before(
      List<String> stages, Set<NetworkFault> kinds, double meanSeconds, long seed)
      throws IOException {
    FaultyNetwork network = new FaultyNetwork();
    for (int i = 0; i < stages.size(); i++) {
      FaultTimes faults = new FaultTimes(kinds, meanSeconds, seed + i, System::nanoTime);
      network.times.add(faults);
      String address = stages.get(i);
      if (kinds.stream().anyMatch(NetworkFault::ofMessages)) {
        FaultyCalls added = FaultyCalls.before(address, faults);
        network.calls.add(added);
        address = added.address();
      }
      if (kinds.stream().anyMatch(kind -> !kind.ofMessages())) {
        FaultyWire added = FaultyWire.before(address, faults);
        network.wires.add(added);
        address = added.address();
      }
      network.addresses.add(address);
    }
    return network;
  }

  /** Where the coordinator finds the stages, in their order. */
  List<String> addresses() {
    return List.copyOf(addresses);
  }

  /** How many faults there were, by kind. */
  Map<String, Long> counts() {
    Map<String, Long> counts = new TreeMap<>();
    times.forEach(
        each -> each.counts().forEach((kind, n) -> counts.merge(kind.text(), n, Long::sum)));
    return counts;
  }

  @Override
  public void close() throws IOException {
    for (FaultyWire wire : wires) {
      wire.close();
    }
    calls.forEach(FaultyCalls::close);
  }
}
