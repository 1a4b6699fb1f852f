package org.maskedkd.coordinator;

import io.grpc.ManagedChannel;

/**
 * A stage to talk to.
 *
 * @param name for messages, such as {@code the teacher at 127.0.0.1:9091}
 * @param channel stays its creator's, who shuts it down
 */
public record Peer(String name, ManagedChannel channel) {}
