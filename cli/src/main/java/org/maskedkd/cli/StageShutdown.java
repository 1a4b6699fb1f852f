package org.maskedkd.cli;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.ShutdownRequest;
import org.maskedkd.proto.v1.StudentGrpc;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.runtime.Channels;
import org.maskedkd.runtime.StageName;
import org.maskedkd.runtime.Tls;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Asks stages to end, since their run has. One that does not answer has ended, or will not. */
final class StageShutdown {
  private static final Logger log = LoggerFactory.getLogger(StageShutdown.class);
  private static final int PATIENCE_SECONDS = 5;

  private StageShutdown() {}

  /**
   * Asks one.
   *
   * @param channel is shut down with it
   * @return whether it said that it will
   */
  static boolean ask(StageSpec.Role role, String who, ManagedChannel channel) {
    ShutdownRequest request = ShutdownRequest.newBuilder().setReason("the run has ended").build();
    try {
      switch (role) {
        case STUDENT ->
            StudentGrpc.newBlockingStub(channel)
                .withDeadlineAfter(PATIENCE_SECONDS, TimeUnit.SECONDS)
                .shutdown(request);
        case TEACHER ->
            TeacherGrpc.newBlockingStub(channel)
                .withDeadlineAfter(PATIENCE_SECONDS, TimeUnit.SECONDS)
                .shutdown(request);
      }
      return true;
    } catch (StatusRuntimeException e) {
      log.debug("{} took no shutdown call: {}", who, e.getStatus());
      return false;
    } finally {
      channel.shutdownNow();
    }
  }

  /**
   * Asks teachers that this process did not start; of a name, those at all its addresses.
   *
   * @param addresses as in {@code teacher.addresses}
   * @param tls null for none
   */
  static void askTeachers(List<String> addresses, @Nullable Tls tls) {
    for (String address : addresses) {
      if (!StageName.isName(address)) {
        askTeacher(address, Channels.connect(address, tls));
        continue;
      }
      StageName name = StageName.parse(address);
      try {
        for (String one : name.resolve()) {
          askTeacher(one, Channels.connect(name, one, tls));
        }
      } catch (IOException e) {
        log.warn("{} has no address any more, so its teachers are not asked to end: {}", name, e);
      }
    }
  }

  private static void askTeacher(String address, ManagedChannel channel) {
    if (ask(StageSpec.Role.TEACHER, "the teacher at " + address, channel)) {
      log.info("the teacher at {} ends with the run", address);
    } else {
      log.warn("the teacher at {} does not answer and is not asked to end again", address);
    }
  }
}
