package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.maskedkd.cli.TinyRun.named;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.runtime.Channels;
import org.maskedkd.runtime.TensorFrames;

/** What a peer that stops costs the others in memory. Their heaps are fixed and touched before. */
@ExtendWith(SharedStages.Extension.class)
@EnabledOnOs(OS.LINUX)
class StalledPeersProcessTest {
  /** The window of the run is 12 images of less than 2 kB, so nearly all of it is slack. */
  private static final long ALLOWED_KB = 64 << 10;

  private static final int PATCH_BYTES = 3 * 4 * 4;

  @Test
  void run_peersStall10Seconds_nobodyElseGrowsAndTheRunGoesOn(SharedStages stages)
      throws IOException {
    assertBounded(stages, Duration.ofSeconds(10), "short");
  }

  @Test
  @Tag("soak")
  void run_peersStall60Seconds_nobodyElseGrowsAndTheRunGoesOn(SharedStages stages)
      throws IOException {
    assertBounded(stages, Duration.ofSeconds(60), "long");
  }

  private static void assertBounded(SharedStages stages, Duration stall, String name)
      throws IOException {
    TinyRun run = stages.run("stall-" + name, 1, TinyRun.LONG).awaitSteps(40);
    long student = stages.studentProcess().pid();
    long teacher = stages.teacherProcess().pid();
    try (MaskedKdProcess coordinator = run.process()) {
      Map<String, Long> others = new LinkedHashMap<>();
      others.put("coordinator", coordinator.pid());
      others.put("student", student);
      assertBounded(teacher, others, stall);

      run.awaitSteps(run.steps().size() + 5);
      others.remove("coordinator");
      others.put("teacher", teacher);
      ManagedChannel channel = Channels.connect(stages.teacher());
      try {
        sendWithoutReading(channel);
        assertBounded(coordinator.pid(), others, stall);
      } finally {
        channel.shutdownNow();
      }

      if (coordinator.isAlive()) {
        coordinator.interrupt();
      }
      coordinator.exitCode();
    }
    assertThat(stages.teacherProcess().isAlive()).isTrue();
  }

  /** Freezes one process and watches the others. */
  private static void assertBounded(long frozen, Map<String, Long> others, Duration stall)
      throws IOException {
    Map<String, Long> before = resident(others);
    MaskedKdProcess.freeze(frozen);
    Map<String, Long> most;
    try {
      most = watch(others, stall);
    } finally {
      MaskedKdProcess.thaw(frozen);
    }
    assertGrowth(before, most);
  }

  private static void assertGrowth(Map<String, Long> before, Map<String, Long> most) {
    assertThat(before.keySet())
        .allSatisfy(
            name ->
                assertThat(named(most, name) - named(before, name))
                    .as("growth in kB of the %s from %s kB", name, before.get(name))
                    .isLessThan(ALLOWED_KB));
    System.out.printf("from %s kB to at most %s kB%n", before, most);
  }

  /** The most that each had in this time. */
  private static Map<String, Long> watch(Map<String, Long> pids, Duration time) {
    Map<String, Long> most = new LinkedHashMap<>();
    long end = System.nanoTime() + time.toNanos();
    await("the end of the stall")
        .atMost(MaskedKdProcess.PATIENCE)
        .pollInterval(Duration.ofMillis(200))
        .until(
            () -> {
              resident(pids).forEach((name, kb) -> most.merge(name, kb, Math::max));
              return System.nanoTime() >= end;
            });
    return most;
  }

  /** Sends as much as the teacher takes and reads no answer. */
  private static void sendWithoutReading(ManagedChannel channel) {
    ClientCall<MaskedMicroBatch, TeacherSignal> call =
        channel.newCall(TeacherGrpc.getSuperviseMethod(), CallOptions.DEFAULT);
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onReady() {
            // At most a window's worth before the call ends, as it does when answers pile up.
            while (call.isReady()) {
              call.sendMessage(microBatch());
            }
          }
        },
        new Metadata());
  }

  private static MaskedMicroBatch microBatch() {
    return MaskedMicroBatch.newBuilder()
        .setKey(MicroBatchKey.newBuilder().setRun("deaf").setStep(1))
        .addTensors(TensorFrames.ints("kept_indices", new int[] {1, 2}, 1, 2))
        .addTensors(
            TensorFrames.bytes(
                "kept_patches", ByteBuffer.allocate(2 * PATCH_BYTES), 1, 2, PATCH_BYTES))
        .setLast(true)
        .build();
  }

  private static Map<String, Long> resident(Map<String, Long> pids) throws IOException {
    Map<String, Long> kilobytes = new LinkedHashMap<>();
    for (Map.Entry<String, Long> process : pids.entrySet()) {
      Path status = Path.of("/proc", Long.toString(process.getValue()), "status");
      String line =
          Files.readAllLines(status).stream()
              .filter(l -> l.startsWith("VmRSS:"))
              .findFirst()
              .orElseThrow();
      kilobytes.put(process.getKey(), Long.valueOf(line.replaceAll("\\D", "")));
    }
    return kilobytes;
  }
}
