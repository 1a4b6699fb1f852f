package org.maskedkd.coordinator;

import org.maskedkd.proto.v1.MicroBatchKey;

/** How a micro-batch is named in messages to people. */
final class Keys {

  private Keys() {}

  static String describe(MicroBatchKey key) {
    return key.getStep() == 0
        ? "micro-batch " + key.getIndex() + " of the teacher check"
        : "micro-batch " + key.getIndex() + " of step " + key.getStep();
  }
}
