package org.maskedkd.tensor;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.pytorch.jni.LibUtils;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The engine of this process: started once, with settings that must precede its first touch.
 * Computes on the processor.
 */
public final class Torch {
  private static @Nullable Engine engine;
  private static @Nullable NDManager manager;

  private Torch() {}

  /**
   * Loads libtorch, or, when it is loaded already, sets the calling thread's thread count.
   *
   * <p>Natives come from the class path or {@code PYTORCH_LIBRARY_PATH}; nothing is downloaded and
   * nothing is reported anywhere.
   *
   * @param threads intra-op threads; 0 leaves libtorch's default
   */
  public static synchronized void start(int threads) {
    if (threads < 0) {
      throw new IllegalArgumentException("threads (" + threads + ") must be 0 or more");
    }
    if (engine != null) {
      if (threads > 0) {
        useThreads(threads);
      }
      return;
    }
    System.setProperty("ai.djl.offline", "true");
    System.setProperty("OPT_OUT_TRACKING", "true");
    System.setProperty("ai.djl.pytorch.graph_optimizer", "false");
    System.setProperty("ai.djl.pytorch.num_interop_threads", "1");
    if (threads > 0) {
      System.setProperty("ai.djl.pytorch.num_threads", Integer.toString(threads));
    }
    Engine started = Engine.getEngine("PyTorch");
    // DJL turns gradients off on the thread that happens to load it and on no other; here every
    // thread starts as torch has it, and GradMode decides.
    JniUtils.setGradMode(true);
    // Named, or a libtorch with CUDA would put arrays where Tensors cannot write them in place.
    manager = started.newBaseManager(Device.cpu());
    engine = started;
  }

  /**
   * Sets the intra-op threads of the calling thread, and of threads that have not used torch yet.
   *
   * @param threads at least 1
   */
  public static void useThreads(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads (" + threads + ") must be at least 1");
    }
    engine();
    JniUtils.setNumThreads(threads);
  }

  /** Intra-op threads of the calling thread. */
  public static int threads() {
    engine();
    return JniUtils.getNumThreads();
  }

  /**
   * The manager for what lives as long as the process: parameters, optimizer state. It is never
   * closed; its user closes the arrays, or a sub-manager made from it. Starts the engine with its
   * defaults if nobody did. May be used from any thread.
   */
  public static synchronized NDManager manager() {
    if (manager == null) {
      start(0);
    }
    NDManager started = manager;
    if (started == null) {
      throw new IllegalStateException("the engine started without a manager");
    }
    return started;
  }

  /** Where this process has libtorch from. */
  public static Path folder() {
    engine();
    return Path.of(LibUtils.getLibtorchPath());
  }

  /**
   * What decides the last bits of a result on this machine, as seen from the calling thread: {@code
   * engine}, {@code libtorch}, {@code device}, {@code cpu-capability}, {@code bf16-unit}, {@code
   * threads}, {@code arch}, {@code attention-rule}, {@code frozen-linear-rule}.
   */
  public static SortedMap<String, String> numerics() {
    SortedMap<String, String> facts = new TreeMap<>();
    facts.put("engine", "PyTorch through DJL " + Engine.getDjlVersion());
    facts.put("libtorch", engine().getVersion());
    facts.put("device", manager().getDevice().getDeviceType());
    CpuFeatures cpu = CpuFeatures.ofThisMachine();
    facts.put("cpu-capability", cpu.capability());
    facts.put("bf16-unit", cpu.bf16Unit());
    facts.put("threads", Integer.toString(threads()));
    facts.put("arch", System.getProperty("os.arch"));
    facts.put(
        "attention-rule",
        "fp32 %s, bf16 %s, frozen fp32 %s, bf16 %s"
            .formatted(
                AttentionKernel.of(Precision.FP32, /* frozen= */ false).text(),
                AttentionKernel.of(Precision.BF16, /* frozen= */ false).text(),
                AttentionKernel.of(Precision.FP32, /* frozen= */ true).text(),
                AttentionKernel.of(Precision.BF16, /* frozen= */ true).text()));
    facts.put("frozen-linear-rule", FrozenLinear.ruleText());
    return facts;
  }

  private static synchronized Engine engine() {
    manager();
    Engine started = engine;
    if (started == null) {
      throw new IllegalStateException("the engine did not start");
    }
    return started;
  }
}
