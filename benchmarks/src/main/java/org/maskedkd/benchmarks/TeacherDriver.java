package org.maskedkd.benchmarks;

import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.runtime.Channels;
import org.maskedkd.runtime.TensorFrames;

/** Sends a teacher stage one micro-batch over and over; two are always under way. */
final class TeacherDriver implements AutoCloseable {
  private static final int CREDIT = 2;

  private record Arrival(TeacherSignal signal, long nanos) {}

  /**
   * How fast answers came.
   *
   * @param forwardShare share of the time in which the stage ran the forward
   */
  record Pace(double secondsPerMicroBatch, double forwardShare) {}

  private final ManagedChannel channel;
  private final List<List<Tensor>> frames;
  private final StreamObserver<MaskedMicroBatch> requests;
  private final BlockingQueue<Arrival> arrivals = new LinkedBlockingQueue<>();
  private int sent;

  TeacherDriver(String address, KeptPatches input) {
    channel = Channels.connect(address);
    long values = input.patches().remaining() / input.kept().length;
    frames =
        TensorFrames.cut(
            List.of(
                TensorFrames.ints("kept_indices", input.kept(), input.batch(), input.perImage()),
                TensorFrames.bytes(
                    "kept_patches", input.patches(), input.batch(), input.perImage(), values)));
    requests = TeacherGrpc.newStub(channel).supervise(new Answers());
  }

  private final class Answers implements StreamObserver<TeacherSignal> {
    @Override
    public void onNext(TeacherSignal signal) {
      if (signal.getLast()) {
        arrivals.add(new Arrival(signal, System.nanoTime()));
      }
    }

    @Override
    public void onError(Throwable t) {
      arrivals.add(new Arrival(TeacherSignal.newBuilder().setRefused(t.toString()).build(), 0));
    }

    @Override
    public void onCompleted() {}
  }

  private void send() {
    MicroBatchKey key =
        MicroBatchKey.newBuilder().setRun("benchmark").setStep(1).setIndex(sent++).build();
    for (int i = 0; i < frames.size(); i++) {
      requests.onNext(
          MaskedMicroBatch.newBuilder()
              .setKey(key)
              .addAllTensors(frames.get(i))
              .setLast(i == frames.size() - 1)
              .build());
    }
  }

  /** The pace from the first of {@code count} answers to the last, with nothing under way after. */
  Pace measure(int count) {
    for (int i = 0; i < Math.min(CREDIT, count); i++) {
      send();
    }
    long first = 0;
    long last = 0;
    long computing = 0;
    for (int i = 0; i < count; i++) {
      Arrival arrival = take();
      last = arrival.nanos();
      if (i == 0) {
        first = last;
      } else {
        computing +=
            arrival.signal().getSpan().getEndNanos() - arrival.signal().getSpan().getStartNanos();
      }
      if (i + CREDIT < count) {
        send();
      }
    }
    return new Pace((last - first) / 1e9 / (count - 1), (double) computing / (last - first));
  }

  private Arrival take() {
    try {
      Arrival arrival = arrivals.take();
      if (!arrival.signal().getRefused().isEmpty()) {
        throw new IllegalStateException("the teacher refused: " + arrival.signal().getRefused());
      }
      return arrival;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the teacher computes", e);
    }
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}
