package org.maskedkd.runtime;

import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The GPUs that this process was given, by the names that NVIDIA's container runtime has for them.
 * They are the same in every container, which places such as {@code cuda:0} are not.
 */
public final class Gpus {
  /** Set by the device plugin of Kubernetes. */
  private static final String VARIABLE = "NVIDIA_VISIBLE_DEVICES";

  private Gpus() {}

  /** Of this process, such as {@code GPU-8a3f...} or {@code MIG-1b2c...}. */
  public static List<String> ofProcess() {
    return of(System.getenv());
  }

  /** Places and {@code all} say nothing about which one it is; they are left out. */
  static List<String> of(Map<String, String> environment) {
    return Arrays.stream(environment.getOrDefault(VARIABLE, "").split(",", -1))
        .map(String::strip)
        .filter(name -> name.startsWith("GPU-") || name.startsWith("MIG-"))
        // One that is shared by taking turns is listed with the number of the share.
        .map(name -> name.replaceFirst("::\\d+$", ""))
        .distinct()
        .toList();
  }
}
