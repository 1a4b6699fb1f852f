package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class GracefulStopTest {
  private final List<Integer> exits = new ArrayList<>();
  private final GracefulStop stop = new GracefulStop(exits::add);
  private final List<String> told = new ArrayList<>();

  @Test
  void receive_firstSignal_onlyAsks() {
    stop.onRequest(() -> told.add("before"));
    assertThat(stop.signalExitCode()).isZero();
    stop.receive(ExitCode.TERMINATED);
    stop.onRequest(() -> told.add("after"));
    assertThat(stop.signalExitCode()).isEqualTo(143);
    assertThat(told).containsExactly("before", "after");
    assertThat(exits).isEmpty();
  }

  @Test
  void receive_secondSignal_exitsAtOnceWithItsOwnCode() {
    stop.onRequest(() -> told.add("once"));
    stop.receive(ExitCode.TERMINATED);
    stop.receive(ExitCode.INTERRUPTED);
    assertThat(exits).containsExactly(130);
    assertThat(told).containsExactly("once");
  }

  @Test
  void parentPipe_parentGone_isNoticed() throws Exception {
    CountDownLatch closed = new CountDownLatch(1);
    PipedOutputStream parent = new PipedOutputStream();
    try (InputStream child = new PipedInputStream(parent)) {
      ParentPipe.watch(child, closed::countDown);
      parent.write(1);
      assertThat(closed.getCount()).isEqualTo(1);
      parent.close();
      assertThat(closed.await(20, TimeUnit.SECONDS)).isTrue();
    }
  }
}
