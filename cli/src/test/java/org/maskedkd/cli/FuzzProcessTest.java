package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.proto.v1.Action;
import org.maskedkd.proto.v1.AttentionMaps;
import org.maskedkd.proto.v1.Augmentation;
import org.maskedkd.proto.v1.Backward;
import org.maskedkd.proto.v1.Blocks;
import org.maskedkd.proto.v1.Checkpoint;
import org.maskedkd.proto.v1.ClockRequest;
import org.maskedkd.proto.v1.DataSpec;
import org.maskedkd.proto.v1.Evaluate;
import org.maskedkd.proto.v1.Export;
import org.maskedkd.proto.v1.Features;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Objective;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.Operation;
import org.maskedkd.proto.v1.Optimization;
import org.maskedkd.proto.v1.Precision;
import org.maskedkd.proto.v1.Probe;
import org.maskedkd.proto.v1.Profile;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.Restore;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.StudentGrpc;
import org.maskedkd.proto.v1.StudentSpec;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.proto.v1.WhereRequest;
import org.maskedkd.runtime.Channels;
import org.maskedkd.runtime.TensorFrames;

/**
 * Stages that are sent what no coordinator sends. After every few hundred messages a sound exchange
 * must give the very bits that it gave before, and in the end no process may have grown.
 */
@EnabledOnOs(OS.LINUX)
class FuzzProcessTest {
  private static final int BETWEEN_SOUND = 400;
  private static final int PATCH_BYTES = 3 * 4 * 4;
  private static final int CLASSES = 3;

  /** Native pools and compiled code settle with time; a leak of a message in ten would be more. */
  private static final long ALLOWED_KB = 48 << 10;

  @TempDir private Path folder;

  @Test
  void studentStage_10000MutatedMessages_goesOnWithTheSameResult() throws Exception {
    fuzzStudent(10_000, 1);
  }

  @Test
  @Tag("soak")
  void studentStage_100000MutatedMessages_goesOnWithTheSameResult() throws Exception {
    fuzzStudent(100_000, System.nanoTime());
  }

  @Test
  void teacherStage_10000MutatedMessages_goesOnWithTheSameResult() throws Exception {
    fuzzTeacher(10_000, 1);
  }

  @Test
  @Tag("soak")
  void teacherStage_100000MutatedMessages_goesOnWithTheSameResult() throws Exception {
    fuzzTeacher(100_000, System.nanoTime());
  }

  private void fuzzStudent(int count, long seed) throws Exception {
    Files.createDirectories(folder.resolve("data"));
    Files.createDirectories(folder.resolve("outside"));
    int management = freePort();
    try (MaskedKdProcess process =
        MaskedKdProcess.start(
            folder,
            "student-stage",
            "--listen=127.0.0.1:0",
            "--threads=1",
            "--data-root=data",
            "--management=127.0.0.1:" + management,
            "--run-root=runs",
            "--exit-with-stdin")) {
      new StudentFuzz(process, seed).run(count);
      try (var found = Files.list(folder)) {
        assertThat(found.map(p -> p.getFileName().toString()))
            .containsExactlyInAnyOrder("data", "outside", "runs");
      }
      assertThat(folder.resolve("outside")).isEmptyDirectory();
      assertThat(folder.resolve("data")).isEmptyDirectory();
      assertMetricsTellNoNames(management);
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  /** What was trained, where and for whom stays in the process. */
  private void assertMetricsTellNoNames(int port) throws Exception {
    HttpRequest scrape =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/metrics")).build();
    String text =
        HttpClient.newHttpClient().send(scrape, HttpResponse.BodyHandlers.ofString()).body();
    assertThat(text)
        .contains("maskedkd_stage_busy_seconds_total")
        .doesNotContain(folder.toString(), "sound-", "fuzz-", "passwd")
        .doesNotContainPattern(
            "(?<!\\w)" + Pattern.quote(InetAddress.getLocalHost().getHostName()) + "(?!\\w)")
        .doesNotContainPattern("(?m)(?<![\\w.])/[\\w.-]+/[\\w.-]+");
  }

  private void fuzzTeacher(int count, long seed) throws Exception {
    try (MaskedKdProcess process =
        MaskedKdProcess.start(
            folder,
            "teacher-stage",
            "--listen=127.0.0.1:0",
            "--threads=1",
            "--model=" + TinyRun.TEACHER,
            "--weights=" + TinyRun.TEACHER_WEIGHTS,
            "--max-micro-batch-bytes=1048576",
            "--exit-with-stdin")) {
      new TeacherFuzz(process, seed).run(count);
    }
  }

  /** What both have in common. */
  private abstract static class Fuzz {
    final MaskedKdProcess process;
    final Random random;
    final Mutator mutator;
    final String address;
    final long seed;
    ManagedChannel channel;
    int sent;

    Fuzz(MaskedKdProcess process, long seed) {
      this.process = process;
      this.seed = seed;
      random = new Random(seed);
      mutator = new Mutator(random);
      address = process.awaitText("listening ");
      channel = Channels.connect(address);
    }

    /** Sends some mutated messages. */
    abstract void session() throws Exception;

    /** A sound exchange's result. */
    abstract ByteString sound() throws Exception;

    final void run(int count) throws Exception {
      System.out.printf(Locale.ROOT, "fuzzing %s with seed %d%n", process, seed);
      long began = System.nanoTime();
      try {
        ByteString expected = sound();
        long before = 0;
        long threads = 0;
        while (sent < count) {
          // A connection on which so many calls are given up is sent away.
          channel.shutdownNow();
          channel = Channels.connect(address);
          for (int next = sent + BETWEEN_SOUND; sent < next; ) {
            session();
          }
          garbage();
          assertThat(process.isAlive()).as("%s; it said:\n%s", this, process.said()).isTrue();
          assertThat(sound()).as("%s", this).isEqualTo(expected);
          if (before == 0 && sent > count / 3) {
            before = status("VmRSS");
            threads = status("Threads");
          }
        }
        long after = status("VmRSS");
        System.out.printf(
            Locale.ROOT,
            "%s: %d s, from %d to %d kB, from %d to %d threads%n",
            this,
            (System.nanoTime() - began) / 1_000_000_000,
            before,
            after,
            threads,
            status("Threads"));
        assertThat(after - before).as("%s grew by kB", this).isLessThan(ALLOWED_KB);
        assertThat(status("Threads")).as("threads of %s", this).isLessThanOrEqualTo(threads + 8);
        assertThat(process.said()).doesNotContain("Exception in thread", "Uncaught", "OutOfMemory");
      } finally {
        channel.shutdownNow();
      }
    }

    private long status(String key) throws IOException {
      String line =
          Files.readAllLines(Path.of("/proc", Long.toString(process.pid()), "status")).stream()
              .filter(l -> l.startsWith(key + ":"))
              .findFirst()
              .orElseThrow();
      return Long.parseLong(line.replaceAll("\\D", ""));
    }

    /** What is no gRPC at all. */
    private void garbage() throws IOException {
      String[] at = address.split(":", -1);
      try (Socket socket = new Socket(at[0], Integer.parseInt(at[1]))) {
        OutputStream out = socket.getOutputStream();
        switch (random.nextInt(4)) {
          case 0 ->
              out.write(
                  "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.UTF_8));
          case 1 -> {
            byte[] bytes = new byte[5000];
            random.nextBytes(bytes);
            out.write(bytes);
          }
          case 2 -> {
            out.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            // A frame of settings that claims 16 MiB.
            out.write(new byte[] {-1, -1, -1, 4, 0, 0, 0, 0, 0});
          }
          default -> out.write("PRI * HTT".getBytes(StandardCharsets.UTF_8));
        }
        out.flush();
      } catch (IOException reset) {
        assertThat(reset).as("%s", this).hasMessageMatching("(?i).*(reset|broken pipe).*");
      }
    }

    final void unary(MethodDescriptor<?, ?> method, byte[] message) throws InterruptedException {
      RawStream call = new RawStream(channel, method, /* reads= */ true);
      call.send(message);
      call.halfClose();
      sent++;
      Status status = call.end();
      assertThat(status.getCode())
          .as("%s answered %s", this, status)
          .isNotIn(Status.Code.UNKNOWN, Status.Code.DEADLINE_EXCEEDED);
    }

    @Override
    public String toString() {
      return "%s, seed %d, message %d".formatted(process, seed, sent);
    }
  }

  private static final class TeacherFuzz extends Fuzz {
    TeacherFuzz(MaskedKdProcess process, long seed) {
      super(process, seed);
    }

    private MaskedMicroBatch valid(int samples, int kept) {
      int[] indices = new int[samples * kept];
      for (int i = 0; i < indices.length; i++) {
        indices[i] = i % kept;
      }
      byte[] patches = new byte[samples * kept * PATCH_BYTES];
      for (int i = 0; i < patches.length; i++) {
        patches[i] = (byte) (i * 7);
      }
      return MaskedMicroBatch.newBuilder()
          .setKey(MicroBatchKey.newBuilder().setRun("fuzz").setStep(1).setIndex(2))
          .addTensors(TensorFrames.ints("kept_indices", indices, samples, kept))
          .addTensors(
              TensorFrames.bytes(
                  "kept_patches", ByteBuffer.wrap(patches), samples, kept, PATCH_BYTES))
          .setFeatures(Features.newBuilder().addTokens(0).addAttention(0))
          .setLast(true)
          .build();
    }

    @Override
    void session() throws InterruptedException {
      switch (random.nextInt(20)) {
        case 0 ->
            unary(
                TeacherGrpc.getOpenMethod(),
                mutator.mutate(
                    OpenTeacher.newBuilder()
                        .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
                        .setRun("fuzz")
                        .setClasses(CLASSES)
                        .setMaxMicroBatch(4)
                        .build()));
        case 1 ->
            unary(
                TeacherGrpc.getProfileMethod(),
                mutator.mutate(
                    ProfileTeacher.newBuilder().setKept(3).addSizes(2).setRepeats(1).build()));
        case 2 ->
            unary(TeacherGrpc.getClockMethod(), mutator.mutate(ClockRequest.getDefaultInstance()));
        default -> supervise();
      }
    }

    private void supervise() throws InterruptedException {
      RawStream stream =
          new RawStream(channel, TeacherGrpc.getSuperviseMethod(), random.nextInt(20) > 0);
      for (int i = random.nextInt(8); i >= 0; i--) {
        MaskedMicroBatch valid = valid(1 + random.nextInt(3), 1 + random.nextInt(16));
        stream.send(random.nextInt(8) == 0 ? valid.toByteArray() : mutator.mutate(valid));
        sent++;
      }
      leave(stream);
    }

    private void leave(RawStream stream) throws InterruptedException {
      if (random.nextBoolean()) {
        stream.next(2);
      }
      if (random.nextInt(3) == 0) {
        stream.halfClose();
        stream.next(2);
      }
      stream.cancel();
    }

    @Override
    ByteString sound() throws InterruptedException, InvalidProtocolBufferException {
      RawStream stream =
          new RawStream(channel, TeacherGrpc.getSuperviseMethod(), /* reads= */ true);
      stream.send(valid(2, 5).toByteArray());
      stream.halfClose();
      Object answer = stream.next(TimeUnit.MINUTES.toMillis(2));
      assertThat(answer).as("%s", this).isInstanceOf(byte[].class);
      TeacherSignal signal = TeacherSignal.parseFrom((byte[]) answer);
      assertThat(signal.getRefused()).isEmpty();
      assertThat(stream.end().isOk()).isTrue();
      return signal.getTensors(0).getData();
    }
  }

  private static final class StudentFuzz extends Fuzz {
    private static final int BATCH = 4;

    /** Half of the patches, as the plans keep. */
    private static final int KEPT = 8;

    private int runs;

    StudentFuzz(MaskedKdProcess process, long seed) {
      super(process, seed);
    }

    private static OpenStudent open(String run) {
      return OpenStudent.newBuilder()
          .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
          .setRun(run)
          .setStudent(
              StudentSpec.newBuilder()
                  .setModel(TinyRun.STUDENT)
                  .setPrecision(Precision.PRECISION_FP32)
                  .setThreads(1)
                  .setDropPath(0.1))
          .setData(
              DataSpec.newBuilder()
                  .setTrain("generated:classes=3,images=12,size=16,patch=4,seed=1,split=train")
                  .setEval("generated:classes=3,images=6,size=16,patch=4,seed=1,split=eval")
                  .setOnCorrupt(DataSpec.OnCorrupt.ON_CORRUPT_FAIL)
                  .setWorkers(1))
          .setAugmentation(
              Augmentation.newBuilder()
                  .setCrop(Augmentation.Crop.CROP_PAD)
                  .setPadding(2)
                  .setScaleMin(0.5)
                  .setScaleMax(1)
                  .setRatioMin(0.75)
                  .setRatioMax(1.25)
                  .setFlip(0.5)
                  .setEvalCrop(1))
          .setOptimization(
              Optimization.newBuilder()
                  .setBeta1(0.9)
                  .setBeta2(0.999)
                  .setEpsilon(1e-8)
                  .setEmaDecay(0.9))
          .setMasking(Masking.newBuilder().setCriterion(Masking.Criterion.CRITERION_STUDENT))
          .setTeacherGrid(
              Grid.newBuilder().setImageHeight(16).setImageWidth(16).setPatch(4).setChannels(3))
          .setTeacherBlocks(Blocks.newBuilder().setCount(1).setWidth(24).setClassToken(true))
          .setObjective(
              Objective.newBuilder().setAttention(AttentionMaps.newBuilder().setWeight(0.5)))
          .setSeed(3)
          .setBatch(BATCH)
          .build();
    }

    private static Action action(Operation operation, int index) {
      return Action.newBuilder().setOperation(operation).setIndex(index).build();
    }

    private static StepPlan plan(String run, long step) {
      return StepPlan.newBuilder()
          .setRun(run)
          .setAttempt(1)
          .setStep(step)
          .setLearningRate(0.01)
          .addMicroBatchSizes(3)
          .addMicroBatchSizes(1)
          .setWindowSamples(BATCH)
          .setKeep(0.5)
          .setOrder("eager")
          .addActions(action(Operation.OPERATION_FORWARD, 0))
          .addActions(action(Operation.OPERATION_FORWARD, 1))
          .addActions(action(Operation.OPERATION_BACKWARD, 0))
          .addActions(action(Operation.OPERATION_BACKWARD, 1))
          .build();
    }

    private static Backward backward(String run, long step, int index) {
      int samples = index == 0 ? 3 : 1;
      float[] gradient = new float[samples * CLASSES];
      for (int i = 0; i < gradient.length; i++) {
        gradient[i] = 0.1f * (i % CLASSES - 1);
      }
      return Backward.newBuilder()
          .setKey(
              MicroBatchKey.newBuilder().setRun(run).setAttempt(1).setStep(step).setIndex(index))
          .addTensors(TensorFrames.floats("logits_gradient", gradient, samples, CLASSES))
          .addTensors(TensorFrames.floats("attention", new float[samples * KEPT], 1, samples, KEPT))
          .setLast(true)
          .setLoss(LossParts.newBuilder().setTotal(1).setBase(1).setStudentCorrect(1))
          .build();
    }

    private StudentCommand valid(String run, long step) {
      StudentCommand.Builder command = StudentCommand.newBuilder();
      return switch (random.nextInt(14)) {
        case 0 ->
            command
                .setProbe(
                    Probe.newBuilder()
                        .setRun(run)
                        .setAttempt(1)
                        .setImages(3)
                        .setMicroBatch(2)
                        .setKeep(0.5))
                .build();
        case 1 ->
            command.setEvaluate(Evaluate.newBuilder().setId(1).setImages(3).setBatch(2)).build();
        case 2 ->
            random.nextInt(4) == 0
                ? command
                    .setCheckpoint(
                        Checkpoint.newBuilder()
                            .setKeepLast(1)
                            .setCoordinatorState("{}")
                            .putProvenance("step", "1"))
                    .build()
                : command.setRestore(Restore.newBuilder().setStep(step)).build();
        case 3 ->
            random.nextInt(4) == 0
                ? command
                    .setExport(
                        Export.newBuilder().setFile("a.safetensors").putMetadata("step", "1"))
                    .build()
                : command.setRestore(Restore.getDefaultInstance()).build();
        case 4 ->
            command.setProfile(Profile.newBuilder().addSizes(2).setRepeats(1).setKeep(0.5)).build();
        case 5, 6, 7, 8, 9 -> command.setPlan(plan(run, step)).build();
        default -> command.setBackward(backward(run, step, random.nextInt(2))).build();
      };
    }

    @Override
    void session() throws Exception {
      if (random.nextInt(15) == 0) {
        OpenStudent strange = open("strange");
        unary(StudentGrpc.getOpenMethod(), mutator.mutate(strange));
      }
      String run = "fuzz-" + runs;
      unary(
          random.nextBoolean() ? StudentGrpc.getWhereMethod() : StudentGrpc.getClockMethod(),
          mutator.mutate(WhereRequest.newBuilder().setRun(run).build()));
      long step = 1 + openSoundly(open(run));
      RawStream stream =
          new RawStream(channel, StudentGrpc.getTrainMethod(), random.nextInt(20) > 0);
      if (step == 1 && random.nextInt(4) == 0) {
        stream.cancel();
        run = "stepped-" + sent;
        openSoundly(open(run));
        stream = new RawStream(channel, StudentGrpc.getTrainMethod(), /* reads= */ true);
        step(stream, run, 1);
        step = 2;
      }
      for (int i = 5 + random.nextInt(15); i > 0; i--) {
        Message valid = valid(run, step);
        stream.send(random.nextInt(3) == 0 ? valid.toByteArray() : mutator.mutate(valid));
        sent++;
        if (random.nextInt(3) == 0 && stream.next(1) instanceof RawStream.End) {
          break;
        }
      }
      if (random.nextInt(3) == 0) {
        stream.halfClose();
        stream.next(2);
      }
      stream.cancel();
    }

    /** Opens a run as soon as the stage has noticed the end of the stream before; its step. */
    private long openSoundly(OpenStudent request) {
      long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
      while (true) {
        try {
          return StudentGrpc.newBlockingStub(channel)
              .withDeadlineAfter(2, TimeUnit.MINUTES)
              .open(request)
              .getCommittedStep();
        } catch (StatusRuntimeException busy) {
          boolean waits = busy.getStatus().getCode() == Status.Code.UNAVAILABLE;
          if (!waits || System.nanoTime() > deadline) {
            throw new AssertionError(this + ": " + busy + "; it said:\n" + process.said(), busy);
          }
        }
      }
    }

    /** A whole step: the logits of its micro-batches. */
    private ByteString step(RawStream stream, String run, long step) throws Exception {
      ByteString result = ByteString.EMPTY;
      stream.send(StudentCommand.newBuilder().setPlan(plan(run, step)).build().toByteArray());
      while (true) {
        Object event = stream.next(TimeUnit.MINUTES.toMillis(2));
        assertThat(event).as("%s; it said:\n%s", this, process.said()).isInstanceOf(byte[].class);
        StudentEvent student = StudentEvent.parseFrom((byte[]) event);
        if (!student.hasForwarded()) {
          assertThat(student.hasStepDone()).as("%s", student).isTrue();
          return result;
        }
        result = result.concat(student.getForwarded().getTensors(0).getData());
        int index = student.getForwarded().getKey().getIndex();
        stream.send(
            StudentCommand.newBuilder()
                .setBackward(backward(run, step, index))
                .build()
                .toByteArray());
      }
    }

    @Override
    ByteString sound() throws Exception {
      runs++;
      String run = "sound-" + runs;
      assertThat(openSoundly(open(run))).isZero();
      ByteString result = ByteString.EMPTY;
      RawStream stream = new RawStream(channel, StudentGrpc.getTrainMethod(), /* reads= */ true);
      for (long step = 1; step <= 2; step++) {
        result = result.concat(step(stream, run, step));
      }
      stream.halfClose();
      stream.end();
      return result;
    }
  }
}
