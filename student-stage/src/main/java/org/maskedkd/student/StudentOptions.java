package org.maskedkd.student;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.SleepTimes;
import org.maskedkd.runtime.TlsFiles;

/**
 * How a student process was started.
 *
 * @param listen {@code host:port} for gRPC, port 0 for any free one
 * @param management {@code host:port} for metrics and probes
 * @param dataRoot data sets outside this folder are refused
 * @param runRoot folder of run directories; a run writes into the one that bears its name
 * @param tls for gRPC on a port; null for plaintext
 * @param insecure whether to listen beyond loopback without TLS
 * @param threads intra-operator threads where the run does not say; 0 for the engine's choice
 * @param sleep how long to sleep instead of computing; null to compute
 */
record StudentOptions(
    String listen,
    String management,
    Path dataRoot,
    Path runRoot,
    @Nullable TlsFiles tls,
    boolean insecure,
    int threads,
    @Nullable SleepTimes sleep) {}
