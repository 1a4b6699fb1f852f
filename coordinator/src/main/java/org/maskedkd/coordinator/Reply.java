package org.maskedkd.coordinator;

import io.grpc.stub.StreamObserver;
import java.util.function.Consumer;

/** The answer of a unary call, handed to the event loop. */
record Reply<R>(EventLoop loop, Consumer<R> onReply, Consumer<Throwable> onFailure)
    implements StreamObserver<R> {

  @Override
  public void onNext(R value) {
    loop.guard(() -> onReply.accept(value));
  }

  @Override
  public void onError(Throwable t) {
    loop.guard(() -> onFailure.accept(t));
  }

  @Override
  public void onCompleted() {}
}
