package org.maskedkd.coordinator;

import io.grpc.BindableService;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.NetworkLoop;
import org.maskedkd.runtime.Role;

/** Fake stages behind real gRPC, and runs against them. The toy's data give four steps an epoch. */
final class House implements AutoCloseable {

  static final int BATCH = 10;
  static final double RATE = 0.5;

  final Path directory;
  final FakeStudent.Disk disk = new FakeStudent.Disk();
  final List<FakeTeacher> teachers = new ArrayList<>();
  final ByteArrayOutputStream output = new ByteArrayOutputStream();
  FakeStudent student = new FakeStudent(disk);
  @Nullable TrainingRun run;
  Duration teacherPatience = Duration.ofSeconds(20);
  Duration laterAnswer = Duration.ofSeconds(20);
  double hedgeFraction;

  /** Teachers behind a name, of which so many are there now. */
  final List<FakeTeacher> behindName = new ArrayList<>();

  volatile int there;
  final List<String> readiness = Collections.synchronizedList(new ArrayList<>());
  Duration studentSilence = Duration.ofMinutes(1);
  Metrics metrics = new Metrics(Role.COORDINATOR);
  private final List<Server> servers = new ArrayList<>();
  private final List<ManagedChannel> channels = new ArrayList<>();
  private final List<FakeStudent> students = new ArrayList<>();

  House(Path directory, int teacherCount) {
    this.directory = directory;
    students.add(student);
    for (int i = 0; i < teacherCount; i++) {
      teachers.add(new FakeTeacher());
    }
  }

  static RunConfig config(boolean distilled, String... overrides) {
    String yaml =
        """
        student: {model: toy}
        data: {train: generated:toy, eval: generated:toy}
        optimizer: {learning-rate: 0.5, min-learning-rate: 0.5, warmup-epochs: 0}
        schedule: {epochs: 2, batch: 10, micro-batches: [2, 3, 4, 1]}
        evaluation: {teacher-check-images: 5}
        """
            + (distilled ? "teacher: {model: toy-teacher, weights: toy}\n" : "");
    return ConfigLoader.parse(yaml, "test.yaml", List.of(overrides));
  }

  /** A student process that knows nothing but what is on the disk. */
  FakeStudent restartStudent() {
    student = new FakeStudent(disk);
    students.add(student);
    return student;
  }

  ExitCode train(String... overrides) {
    return train(new TrainingRun.Options(false, 0, null, false), overrides);
  }

  ExitCode resume(String... overrides) {
    return train(new TrainingRun.Options(true, 0, null, false), overrides);
  }

  ExitCode train(TrainingRun.Options options, String... overrides) {
    List<Peer> peers = new ArrayList<>();
    for (FakeTeacher teacher : teachers) {
      peers.add(peer("teacher " + peers.size(), teacher));
    }
    List<PeerName> named = behindName.isEmpty() ? List.of() : List.of(name());
    NetworkLoop network = new NetworkLoop();
    TrainingRun created =
        new TrainingRun(
            config(!teachers.isEmpty() || !named.isEmpty(), overrides),
            directory,
            peer("the student", student),
            new TeacherPeers(peers, named),
            options,
            new Progress(
                new PrintStream(output, true, StandardCharsets.UTF_8),
                false,
                Duration.ofSeconds(10),
                System::nanoTime),
            (ready, why) -> readiness.add(ready + " " + why),
            metrics,
            new EventLoop(network, System::nanoTime),
            new Patience(
                Duration.ofSeconds(5),
                teacherPatience,
                Duration.ofMillis(1),
                Duration.ofMillis(20),
                Duration.ofSeconds(20),
                laterAnswer,
                5,
                hedgeFraction,
                Duration.ofMillis(5),
                studentSilence));
    run = created;
    try {
      return created.run();
    } finally {
      network.close();
    }
  }

  /** Asks the run that is under way to stop. */
  void stop(ExitCode code) {
    TrainingRun current = run;
    if (current == null) {
      throw new IllegalStateException("no run");
    }
    current.requestStop(code, Duration.ofSeconds(30));
  }

  String printed() {
    return output.toString(StandardCharsets.UTF_8);
  }

  private PeerName name() {
    List<String> addresses = behindName.stream().map(this::serve).toList();
    return new PeerName(
        "dns:teachers:9091",
        () -> addresses.subList(0, there),
        address -> connect("teacher at " + address, address));
  }

  private Peer peer(String name, BindableService service) {
    return connect(name, serve(service));
  }

  private String serve(BindableService service) {
    String address = InProcessServerBuilder.generateName();
    try {
      servers.add(InProcessServerBuilder.forName(address).addService(service).build().start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return address;
  }

  private Peer connect(String name, String address) {
    ManagedChannel channel = InProcessChannelBuilder.forName(address).build();
    channels.add(channel);
    return new Peer(name, channel);
  }

  @Override
  public void close() {
    channels.forEach(ManagedChannel::shutdownNow);
    servers.forEach(Server::shutdownNow);
    students.forEach(FakeStudent::close);
    metrics.close();
  }
}
