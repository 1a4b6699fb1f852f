package org.maskedkd.cli;

import java.util.List;
import picocli.CommandLine.Command;

/** A run with the stages started here, as far as they have no address. */
@Command(
    name = "train",
    mixinStandardHelpOptions = true,
    description =
        "Trains a student: starts student and teachers here, or uses student.address and teacher.addresses of the configuration."
            + " Ctrl-C writes a checkpoint and ends; a second one ends at once.")
final class TrainCommand extends RunCommand {
  @Override
  List<String> ownOverrides() {
    return List.of();
  }

  @Override
  boolean endsTeachers() {
    return false;
  }

  @Override
  boolean startsStages() {
    return true;
  }
}
