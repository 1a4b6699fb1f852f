package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.StudentGrpc;
import org.maskedkd.proto.v1.StudentSpec;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.runtime.Channels;
import org.maskedkd.runtime.MessageLimits;
import org.maskedkd.runtime.StageServer;
import org.maskedkd.runtime.TensorFrames;

/** Peers that speak another version or nonsense. */
@ExtendWith(SharedStages.Extension.class)
class PeersProcessTest {
  private static final int PATCH_BYTES = 3 * 4 * 4;

  private static final class OfAnotherVersion extends TeacherGrpc.TeacherImplBase {
    @Override
    public void open(OpenTeacher request, StreamObserver<TeacherOpened> out) {
      out.onNext(TeacherOpened.newBuilder().setProtocolVersion(99).build());
      out.onCompleted();
    }
  }

  @Test
  void coordinator_teacherOfAnotherProtocolVersion_exits78WithBothVersions(SharedStages stages) {
    try (StageServer server =
        StageServer.listen("127.0.0.1:0").service(new OfAnotherVersion()).start()) {
      String address = server.address();
      TinyRun run = stages.run("version", 0, "--teacher", address).endsWith(78);
      assertThat(run.said())
          .contains(
              address
                  + " speaks protocol version 99, this coordinator "
                  + Protocol.PROTOCOL_VERSION_VALUE);
    }
  }

  /**
   * What it says of two refusals, the second of which shows that nothing more comes of the first.
   */
  private static void assertALineEach(MaskedKdProcess stage, Runnable first, Runnable second) {
    int before = stage.said().length();
    first.run();
    second.run();
    stage.awaitText("refused run 'second'");
    assertThat(stage.said().substring(before).lines())
        .hasSize(2)
        .allMatch(line -> line.contains(" WARN ") && line.contains("refused run '"));
  }

  private static void refused(Runnable call, String why) {
    assertThatThrownBy(call::run)
        .isInstanceOf(StatusRuntimeException.class)
        .hasMessageContaining(why);
  }

  @Test
  void open_anotherVersionOrModel_isALineOfTheStagesLog(SharedStages stages) {
    ManagedChannel toTeacher = Channels.connect(stages.teacher());
    ManagedChannel toStudent = Channels.connect(stages.student());
    try {
      TeacherGrpc.TeacherBlockingStub teacher = TeacherGrpc.newBlockingStub(toTeacher);
      OpenTeacher.Builder ofTeacher =
          OpenTeacher.newBuilder().setMaxMessageBytes(MessageLimits.ANSWER_BYTES);
      assertALineEach(
          stages.teacherProcess(),
          () ->
              refused(
                  () -> teacher.open(ofTeacher.setRun("first").setProtocolVersion(99).build()),
                  "speaks protocol version"),
          () ->
              refused(
                  () ->
                      teacher.open(
                          ofTeacher
                              .setRun("second")
                              .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
                              .setClasses(99)
                              .build()),
                  "the data have 99"));
      StudentGrpc.StudentBlockingStub student = StudentGrpc.newBlockingStub(toStudent);
      OpenStudent.Builder ofStudent =
          OpenStudent.newBuilder().setMaxMessageBytes(MessageLimits.ANSWER_BYTES);
      assertALineEach(
          stages.studentProcess(),
          () ->
              refused(
                  () -> student.open(ofStudent.setRun("first").setProtocolVersion(99).build()),
                  "speaks protocol version"),
          () ->
              refused(
                  () ->
                      student.open(
                          ofStudent
                              .setRun("second")
                              .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
                              .setStudent(StudentSpec.newBuilder().setModel("nobody_knows"))
                              .build()),
                  ""));
    } finally {
      toTeacher.shutdownNow();
      toStudent.shutdownNow();
    }
  }

  @Test
  void coordinator_teacherThatStaysAway_exits69NamingItAndThePatience(SharedStages stages) {
    String address;
    try (StageServer gone = StageServer.listen("127.0.0.1:0").start()) {
      address = gone.address();
    }
    TinyRun run =
        stages.run("lonely", 0, "--teacher", address, "teacher.retry-seconds=1").endsWith(69);
    assertThat(run.said())
        .contains("no teacher for 1 s")
        .contains("the teacher at " + address + " cannot be reached");
  }

  @Test
  void coordinator_studentInATeachersPlace_exits78(SharedStages stages) {
    TinyRun run = stages.run("mistaken", 0, "--teacher", stages.student()).endsWith(78);
    assertThat(run.said()).contains("does not offer this call").contains(stages.student());
  }

  @Test
  void teacherStage_indicesOutsideTheGrid_refusesThemAndAnswersTheNext(SharedStages stages)
      throws InterruptedException {
    BlockingQueue<Object> answers = new LinkedBlockingQueue<>();
    ManagedChannel channel = Channels.connect(stages.teacher());
    try {
      StreamObserver<MaskedMicroBatch> stream =
          TeacherGrpc.newStub(channel)
              .supervise(
                  new StreamObserver<>() {
                    @Override
                    public void onNext(TeacherSignal signal) {
                      answers.add(signal);
                    }

                    @Override
                    public void onError(Throwable t) {
                      answers.add(t);
                    }

                    @Override
                    public void onCompleted() {
                      answers.add("end");
                    }
                  });
      stream.onNext(microBatch(0, 3, 99));
      assertThat(next(answers).getRefused())
          .contains("kept index 99 of image 0 is outside the teacher's grid of 16 patches");
      stream.onNext(microBatch(1, -1, 3));
      assertThat(next(answers).getRefused()).contains("kept index -1");
      stream.onNext(microBatch(2, 3, 9));
      TeacherSignal sound = next(answers);
      assertThat(sound.getKey().getIndex()).isEqualTo(2);
      assertThat(sound.getRefused()).isEmpty();
      assertThat(sound.getTensors(0).getShapeList()).containsExactly(1L, 3L);
      stream.onCompleted();
      assertThat(answers.poll(1, TimeUnit.MINUTES)).isEqualTo("end");
    } finally {
      channel.shutdownNow();
    }
    assertThat(stages.teacherProcess().isAlive()).isTrue();
  }

  private static TeacherSignal next(BlockingQueue<Object> answers) throws InterruptedException {
    Object answer = answers.poll(1, TimeUnit.MINUTES);
    assertThat(answer).isInstanceOf(TeacherSignal.class);
    return (TeacherSignal) answer;
  }

  private static MaskedMicroBatch microBatch(int index, int... kept) {
    return MaskedMicroBatch.newBuilder()
        .setKey(MicroBatchKey.newBuilder().setRun("raw").setStep(1).setIndex(index))
        .addTensors(TensorFrames.ints("kept_indices", kept, 1, kept.length))
        .addTensors(
            TensorFrames.bytes(
                "kept_patches",
                ByteBuffer.allocate(kept.length * PATCH_BYTES),
                1,
                kept.length,
                PATCH_BYTES))
        .setLast(true)
        .build();
  }
}
