package org.maskedkd.cli;

import io.grpc.ManagedChannel;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.Peer;
import org.maskedkd.coordinator.PeerName;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.coordinator.TeacherPeers;
import org.maskedkd.runtime.NetworkLoop;
import org.maskedkd.runtime.StageName;
import org.maskedkd.runtime.Tls;

/** The stages of a run and the connections to them, which end with this. */
final class RunPeers implements AutoCloseable {
  private final NetworkLoop network;
  private final List<ManagedChannel> channels = new ArrayList<>();
  private final Peer student;
  private final TeacherPeers teachers;

  /** Where the stages are, started here or not. */
  record Addresses(String student, List<String> teachers) {}

  /**
   * @param processes those of the stages of which {@code config} gives no address
   */
  static Addresses addresses(RunConfig config, LocalProcesses processes)
      throws InterruptedException {
    List<String> started = processes.addresses();
    boolean localStudent = config.student().address().isEmpty();
    List<String> rest = started.subList(localStudent ? 1 : 0, started.size());
    return new Addresses(
        localStudent ? started.get(0) : config.student().address(),
        config.distils() && config.teacher().addresses().isEmpty()
            ? rest
            : config.distils() ? config.teacher().addresses() : List.of());
  }

  /**
   * Connects when they are first spoken to.
   *
   * @param tls null for none; stays the caller's
   * @param network serves the connections, stays the caller's, and is closed after this
   */
  RunPeers(RunConfig config, Addresses addresses, @Nullable Tls tls, NetworkLoop network) {
    this.network = network;
    // Stages that were started here have no certificates, also where they must listen on ports.
    Tls ofStudent = config.student().address().isEmpty() ? null : tls;
    Tls ofTeachers = config.teacher().addresses().isEmpty() ? null : tls;
    this.student = peer("student", addresses.student, ofStudent);
    List<Peer> listed = new ArrayList<>();
    List<PeerName> named = new ArrayList<>();
    for (String address : addresses.teachers) {
      if (StageName.isName(address)) {
        named.add(behind(StageName.parse(address), ofTeachers));
      } else {
        listed.add(peer("teacher", address, ofTeachers));
      }
    }
    this.teachers = new TeacherPeers(listed, named);
  }

  Peer student() {
    return student;
  }

  TeacherPeers teachers() {
    return teachers;
  }

  private Peer peer(String role, String address, @Nullable Tls tls) {
    ManagedChannel channel = network.connect(address, tls);
    channels.add(channel);
    return new Peer("the " + role + " at " + address, channel);
  }

  private PeerName behind(StageName name, @Nullable Tls tls) {
    return new PeerName(
        name.toString(),
        name::resolve,
        address -> new Peer("the teacher at " + address, network.connect(name, address, tls)));
  }

  @Override
  public void close() {
    channels.forEach(ManagedChannel::shutdownNow);
  }
}
