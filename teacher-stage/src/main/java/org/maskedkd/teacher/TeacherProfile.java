package org.maskedkd.teacher;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.BooleanSupplier;
import org.maskedkd.proto.v1.ProfilePoint;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.TeacherProfiled;
import org.maskedkd.tensor.ProcessMemory;
import org.maskedkd.vit.FeatureLayers;
import org.maskedkd.vit.VitConfig;

/** Times the masked forward by itself, on blank patches. */
final class TeacherProfile {
  private static final int MOST_RUNS = 1000;
  private static final int MOST_SIZES = 64;

  private TeacherProfile() {}

  /**
   * The median of the repeats for each size.
   *
   * @param maxMicroBatchBytes largest micro-batch that is run
   * @param abandoned whether nobody waits for it any more
   * @throws IllegalArgumentException naming what is out of range
   */
  static TeacherProfiled measure(
      TeacherDevice device,
      VitConfig config,
      long maxMicroBatchBytes,
      ProfileTeacher request,
      BooleanSupplier abandoned) {
    int patches = config.patches();
    int kept = request.getKept();
    require("patches kept", kept, patches);
    require("repeats", request.getRepeats(), MOST_RUNS);
    require("sizes", request.getSizesCount(), MOST_SIZES);
    TeacherProfiled.Builder profiled = TeacherProfiled.newBuilder();
    for (int size : request.getSizesList()) {
      long bytesPerImage = (long) kept * config.patchValues();
      long most = Math.min(maxMicroBatchBytes, Runtime.getRuntime().maxMemory() / 4);
      require("samples", size, Math.min(Integer.MAX_VALUE / kept, most / bytesPerImage));
      int[] places = new int[size * kept];
      Arrays.setAll(places, i -> i % kept);
      ByteBuffer blank = ByteBuffer.allocate(Math.toIntExact(size * bytesPerImage));
      double[] seconds = new double[request.getRepeats()];
      FeatureLayers features =
          MicroBatchCheck.features(request.getFeatures(), request.getMerge(), config, size, kept);
      device.forward(blank, places, size, request.getMerge(), features);
      for (int i = 0; i < seconds.length; i++) {
        if (abandoned.getAsBoolean()) {
          throw new IllegalStateException("the client gave the profile up");
        }
        long start = System.nanoTime();
        device.forward(blank, places, size, request.getMerge(), features);
        seconds[i] = (System.nanoTime() - start) / 1e9;
      }
      Arrays.sort(seconds);
      profiled.addPoints(
          ProfilePoint.newBuilder()
              .setOperation("teacher")
              .setSamples(size)
              .setResidentBytes(ProcessMemory.residentBytes())
              .setSeconds((seconds[(seconds.length - 1) / 2] + seconds[seconds.length / 2]) / 2));
    }
    return profiled.build();
  }

  private static void require(String what, long value, long most) {
    if (value < 1 || value > most) {
      throw new IllegalArgumentException(
          "a profile of this teacher takes 1 to %d %s, found %d".formatted(most, what, value));
    }
  }
}
