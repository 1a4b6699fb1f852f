package org.maskedkd.coordinator;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;
import org.maskedkd.proto.v1.ClockReply;
import org.maskedkd.proto.v1.ClockRequest;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherProfiled;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.runtime.Failures;
import org.maskedkd.runtime.TensorFrames;

/** A teacher stage around {@link Toy}, with what may go wrong with one. */
final class FakeTeacher extends TeacherGrpc.TeacherImplBase {

  /** What it does with a computed signal, on the call's own thread. */
  interface Answering {
    void answer(TeacherSignal signal, StreamObserver<TeacherSignal> out);
  }

  /** Every micro-batch received, in order. */
  final List<MicroBatchKey> received = Collections.synchronizedList(new ArrayList<>());

  /** How many tokens it was asked to merge, by what asked. */
  final Map<String, Integer> merges = new ConcurrentHashMap<>();

  volatile UnaryOperator<TeacherOpened> opening = opened -> opened;
  volatile Answering answering = (signal, out) -> out.onNext(signal);

  @Override
  public void open(OpenTeacher request, StreamObserver<TeacherOpened> out) {
    merges.put("open", request.getMerge());
    TeacherOpened opened =
        TeacherOpened.newBuilder()
            .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
            .setModel(
                ModelInfo.newBuilder()
                    .setModel("toy-teacher")
                    .setGrid(Toy.GRID)
                    .setClasses(Toy.CLASSES)
                    .setWeightsDigest("cafe"))
            .build();
    try {
      out.onNext(opening.apply(opened));
      out.onCompleted();
    } catch (RuntimeException e) {
      out.onError(Failures.toStatus(e));
    }
  }

  @Override
  public void clock(ClockRequest request, StreamObserver<ClockReply> response) {
    response.onNext(ClockReply.newBuilder().setNanos(System.nanoTime()).build());
    response.onCompleted();
  }

  @Override
  public void profile(ProfileTeacher request, StreamObserver<TeacherProfiled> response) {
    merges.put("profile", request.getMerge());
    TeacherProfiled.Builder profiled = TeacherProfiled.newBuilder();
    request
        .getSizesList()
        .forEach(size -> profiled.addPoints(FakeStudent.point("teacher", size, 0.004, 1)));
    response.onNext(profiled.build());
    response.onCompleted();
  }

  @Override
  public StreamObserver<MaskedMicroBatch> supervise(StreamObserver<TeacherSignal> out) {
    Map<MicroBatchKey, TensorFrames.Assembler> arriving = new HashMap<>();
    return new StreamObserver<>() {
      @Override
      public void onNext(MaskedMicroBatch frame) {
        TensorFrames.Assembler assembler =
            arriving.computeIfAbsent(frame.getKey(), k -> new TensorFrames.Assembler(1 << 20));
        frame.getTensorsList().forEach(assembler::add);
        merges.put("step " + frame.getKey().getStep(), frame.getMerge());
        if (frame.getLast()) {
          received.add(frame.getKey());
          answering.answer(signal(frame.getKey(), assembler.finish()), out);
        }
      }

      @Override
      public void onError(Throwable t) {}

      @Override
      public void onCompleted() {}
    };
  }

  private static TeacherSignal signal(
      MicroBatchKey key, Map<String, TensorFrames.NamedTensor> tensors) {
    TensorFrames.NamedTensor indices = tensors.get("kept_indices");
    TensorFrames.NamedTensor patches = tensors.get("kept_patches");
    if (indices == null || patches == null) {
      throw new IllegalArgumentException("tensors " + tensors.keySet());
    }
    int samples = (int) indices.shape()[0];
    int count = (int) indices.shape()[1];
    int[] all = indices.ints();
    ByteBuffer bytes = patches.bytes();
    float[] logits = new float[samples * Toy.CLASSES];
    for (int i = 0; i < samples; i++) {
      byte[] mine = new byte[count * Toy.PATCH_BYTES];
      bytes.get(mine);
      double[] values =
          Toy.teacherLogits(Arrays.copyOfRange(all, i * count, (i + 1) * count), mine);
      for (int c = 0; c < Toy.CLASSES; c++) {
        logits[i * Toy.CLASSES + c] = (float) values[c];
      }
    }
    return TeacherSignal.newBuilder()
        .setKey(key)
        .addTensors(TensorFrames.floats("logits", logits, samples, Toy.CLASSES))
        .setLast(true)
        .setSpan(
            Span.newBuilder()
                .setOperation("teacher")
                .setIndex(key.getIndex())
                .setStartNanos(System.nanoTime() - 1_000_000)
                .setEndNanos(System.nanoTime()))
        .build();
  }

  /** Loses the connection on the first so many micro-batches of training, then works. */
  void breakOn(int count) {
    int[] left = {count};
    answering =
        (signal, out) -> {
          if (signal.getKey().getStep() > 0 && left[0] > 0) {
            left[0]--;
            out.onError(Status.UNAVAILABLE.withDescription("pulled the plug").asRuntimeException());
          } else if (left[0] >= 0) {
            out.onNext(signal);
          }
        };
  }
}
