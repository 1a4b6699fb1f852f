package org.maskedkd.cli;

import java.util.List;
import java.util.stream.Stream;

/**
 * A stage to be started on this machine.
 *
 * @param name names it in messages and its log, such as {@code teacher-0}
 * @param arguments the command and its options, without the address
 * @param threads intra-operator threads
 * @param cores that it may use, such as {@code 0} or {@code 0,2-3}; empty for all
 * @param givesWay whether it gets of them only what no other process wants
 */
record StageSpec(
    String name, Role role, List<String> arguments, int threads, String cores, boolean givesWay) {
  StageSpec(String name, Role role, List<String> arguments, int threads) {
    this(name, role, arguments, threads, "", /* givesWay= */ false);
  }

  /** The same with more arguments. */
  StageSpec with(List<String> more) {
    return new StageSpec(
        name,
        role,
        Stream.concat(arguments.stream(), more.stream()).toList(),
        threads,
        cores,
        givesWay);
  }

  enum Role {
    // The student's heap holds decoded batches, the teacher's only the patches that wait.
    STUDENT("student-stage", 2048, "MASKEDKD_STUDENT_JAVA_OPTS"),
    TEACHER("teacher-stage", 1024, "MASKEDKD_TEACHER_JAVA_OPTS");

    final String command;
    final int heapMegabytes;
    final String flagsVariable;

    Role(String command, int heapMegabytes, String flagsVariable) {
      this.command = command;
      this.heapMegabytes = heapMegabytes;
      this.flagsVariable = flagsVariable;
    }
  }
}
