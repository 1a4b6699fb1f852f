package org.maskedkd.cli;

import java.util.ArrayList;
import java.util.List;
import org.maskedkd.runtime.TlsFiles;
import org.maskedkd.runtime.TlsOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A run with stages that already serve, as the containers run it. */
@Command(
    name = "coordinator",
    mixinStandardHelpOptions = true,
    description = "Leads a run with stages that already serve; starts none.")
final class CoordinatorCommand extends RunCommand {
  @Option(
      names = "--student",
      paramLabel = "HOST:PORT",
      description = "The same as student.address=HOST:PORT.")
  private String student = "";

  @Option(
      names = "--teacher",
      split = ",",
      paramLabel = "HOST:PORT",
      description = "The same as teacher.addresses; several times, or with commas between.")
  private List<String> teachers = List.of();

  @Option(
      names = "--end-teachers",
      description =
          "Tell the teachers to end when the run is done, or has ended in a way that another start"
              + " would only repeat. Not for teachers that other runs share.")
  private boolean endTeachers;

  @Mixin private TlsOptions tls = new TlsOptions();

  @Override
  List<String> ownOverrides() {
    List<String> overrides = new ArrayList<>();
    TlsFiles files = tls.files();
    if (files != null) {
      overrides.add("tls.certificate=" + quoted(files.certificate().toString()));
      overrides.add("tls.key=" + quoted(files.key().toString()));
      overrides.add("tls.authority=" + quoted(files.authority().toString()));
    }
    if (!student.isEmpty()) {
      overrides.add("student.address=" + quoted(student));
    }
    if (!teachers.isEmpty()) {
      overrides.add(
          "teacher.addresses=["
              + String.join(",", teachers.stream().map(RunCommand::quoted).toList())
              + "]");
    }
    return overrides;
  }

  @Override
  boolean endsTeachers() {
    return endTeachers;
  }

  @Override
  boolean startsStages() {
    return false;
  }
}
