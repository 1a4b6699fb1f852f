package org.maskedkd.benchmarks;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.runtime.Outbox;

/** A teacher stage that answers every micro-batch with the same logits, at once. */
final class TapeTeacher extends TeacherGrpc.TeacherImplBase {
  private final ModelInfo model;
  private final Tensor logits;

  TapeTeacher(Grid grid, int classes, Tensor logits) {
    this.model =
        ModelInfo.newBuilder()
            .setModel("tape")
            .setGrid(grid)
            .setClasses(classes)
            .setWeightsDigest("tape")
            .build();
    this.logits = logits;
  }

  @Override
  public void open(OpenTeacher request, StreamObserver<TeacherOpened> out) {
    out.onNext(
        TeacherOpened.newBuilder()
            .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
            .setModel(model)
            .build());
    out.onCompleted();
  }

  @Override
  public StreamObserver<MaskedMicroBatch> supervise(StreamObserver<TeacherSignal> out) {
    Outbox<TeacherSignal> outbox = new Outbox<>((ServerCallStreamObserver<TeacherSignal>) out);
    return new StreamObserver<>() {
      @Override
      public void onNext(MaskedMicroBatch frame) {
        if (frame.getLast()) {
          outbox.send(
              TeacherSignal.newBuilder()
                  .setKey(frame.getKey())
                  .addTensors(logits)
                  .setLast(true)
                  .build());
        }
      }

      @Override
      public void onError(Throwable t) {
        outbox.abandon();
      }

      @Override
      public void onCompleted() {
        outbox.complete();
      }
    };
  }
}
