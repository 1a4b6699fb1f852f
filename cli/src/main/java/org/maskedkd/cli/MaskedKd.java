package org.maskedkd.cli;

import org.maskedkd.runtime.Release;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command without a subcommand. */
@Command(
    name = "maskedkd",
    mixinStandardHelpOptions = true,
    versionProvider = MaskedKd.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    description = "Pipelined masked knowledge distillation of vision transformers.",
    footer = {
      "",
      "Exit codes: 0 done, 64 wrong usage or config, 65 bad data or weights, 69 a peer stayed away,",
      "70 internal, 73 cannot write, 78 incompatible peer, checkpoint or numerics,",
      "130/143 stopped by a signal with a checkpoint written."
    })
final class MaskedKd implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  /** What {@code --version} prints. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"maskedkd " + Release.version()};
    }
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "no command given");
  }
}
