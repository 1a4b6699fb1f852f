package org.maskedkd.cli;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.maskedkd.proto.v1.DataSpec;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.StudentGrpc;
import org.maskedkd.proto.v1.StudentSpec;
import org.maskedkd.runtime.Channels;

/**
 * A student process and three teacher processes that serve every test of the suite, because most of
 * a short run's time is the start of its stages. Tests of how stages start and stop have their own.
 */
final class SharedStages implements AutoCloseable {
  private static final String LISTENING = "listening ";
  private static final int TEACHERS = 3;

  private final Path folder;
  private final MaskedKdProcess student;
  private final List<MaskedKdProcess> teachers = new ArrayList<>();

  private SharedStages() {
    try {
      folder = Files.createTempDirectory("maskedkd-stages-");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    student =
        MaskedKdProcess.start(
            folder,
            "student-stage",
            "--listen=127.0.0.1:0",
            "--threads=1",
            "--data-root=/",
            "--run-root=" + runs(),
            "--exit-with-stdin");
    for (int i = 0; i < TEACHERS; i++) {
      teachers.add(
          MaskedKdProcess.start(
              folder,
              "teacher-stage",
              "--listen=127.0.0.1:0",
              "--threads=1",
              "--model=" + TinyRun.TEACHER,
              "--weights=" + TinyRun.TEACHER_WEIGHTS,
              "--exit-with-stdin"));
    }
  }

  /** Folder of the run directories. */
  Path runs() {
    return folder.resolve("runs");
  }

  MaskedKdProcess studentProcess() {
    return student;
  }

  MaskedKdProcess teacherProcess() {
    return teachers.get(0);
  }

  String student() {
    return student.awaitText(LISTENING);
  }

  String teacher() {
    return teachers.get(0).awaitText(LISTENING);
  }

  /** A run led by a coordinator process of its own, with {@code k} of the teachers. */
  TinyRun run(String name, int k, String... arguments) {
    List<String> all = new ArrayList<>(List.of("coordinator", "-c", TinyRun.config(folder)));
    all.addAll(List.of("--student", student(), "--name", name, "--runs-dir", runs().toString()));
    teachers.subList(0, k).forEach(t -> all.addAll(List.of("--teacher", t.awaitText(LISTENING))));
    all.addAll(List.of(arguments));
    return new TinyRun(runs().resolve(name), MaskedKdProcess.start(folder, strings(all)));
  }

  /** Goes on with a run. */
  TinyRun resume(TinyRun run, int k, String... arguments) {
    return resume(run.path(), k, arguments);
  }

  /** Goes on with the run in a directory. */
  TinyRun resume(Path run, int k, String... arguments) {
    List<String> all =
        new ArrayList<>(List.of("coordinator", "--resume", run.toString(), "--student", student()));
    teachers.subList(0, k).forEach(t -> all.addAll(List.of("--teacher", t.awaitText(LISTENING))));
    all.addAll(List.of(arguments));
    return new TinyRun(run, MaskedKdProcess.start(folder, strings(all)));
  }

  private static String[] strings(List<String> list) {
    return list.toArray(String[]::new);
  }

  /** Makes the student let go of its run, so that the next start of it needs a checkpoint. */
  void forget() {
    ManagedChannel channel = Channels.connect(student());
    try {
      // A run that cannot be opened takes the place of the one before it all the same.
      StudentGrpc.newBlockingStub(channel)
          .withDeadlineAfter(1, TimeUnit.MINUTES)
          .open(
              OpenStudent.newBuilder()
                  .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
                  .setRun("nobody")
                  .setBatch(1)
                  .setStudent(StudentSpec.newBuilder().setModel(TinyRun.TEACHER))
                  .setData(DataSpec.newBuilder().setTrain("/absent"))
                  .build());
      throw new AssertionError("a run without data was opened");
    } catch (StatusRuntimeException refused) {
      if (!String.valueOf(refused.getMessage()).contains("absent")) {
        throw refused;
      }
    } finally {
      channel.shutdownNow();
    }
  }

  @Override
  public void close() throws IOException {
    student.close();
    teachers.forEach(MaskedKdProcess::close);
    delete(folder);
  }

  private static void delete(Path tree) throws IOException {
    try (Stream<Path> files = Files.walk(tree)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }

  /** Hands the stages to tests, and ends them with the last test of all. */
  static final class Extension implements ParameterResolver {
    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
      return parameter.getParameter().getType() == SharedStages.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
      return context
          .getRoot()
          .getStore(Namespace.create(SharedStages.class))
          .computeIfAbsent(SharedStages.class, key -> new SharedStages(), SharedStages.class);
    }
  }
}
