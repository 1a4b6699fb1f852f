package org.maskedkd.benchmarks;

import picocli.CommandLine.Command;

/** The kernels under a model, by the CPU time of the computing thread. */
@Command(
    name = "kernels",
    synopsisSubcommandLabel = "PART",
    subcommands = {AttentionBenchmark.class, OperatorsBenchmark.class},
    description = "What single kernels cost, and where a model's time goes.")
final class KernelsBenchmark {}
