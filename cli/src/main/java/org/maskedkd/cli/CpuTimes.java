package org.maskedkd.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/**
 * What the processors did until a moment, in the system's ticks (Linux).
 *
 * @param busy of all cores together, by anybody
 * @param total busy or not
 * @param ours by process, of those that are watched, their ended children included
 */
record CpuTimes(long busy, long total, Map<Long, Long> ours) {
  // Places in /proc/PID/stat behind the name, which may hold blanks itself.
  private static final int USER = 11;
  private static final int ALL_OWN_AND_CHILDREN = 4;

  // Places in the first line of /proc/stat.
  private static final int IDLE = 3;
  private static final int WAITING = 4;
  private static final int KINDS = 8;

  /**
   * Now.
   *
   * @param pids of the processes that are ours; one that has ended counts nothing
   */
  static CpuTimes now(Collection<Long> pids) throws IOException {
    String[] fields =
        Files.readString(Path.of("/proc/stat")).lines().findFirst().orElse("").split("\\s+");
    long total = 0;
    long busy = 0;
    // What guests use is part of the users' share already.
    for (int i = 0; i < KINDS && i + 1 < fields.length; i++) {
      long ticks = Long.parseLong(fields[i + 1]);
      total += ticks;
      busy += i == IDLE || i == WAITING ? 0 : ticks;
    }
    Map<Long, Long> ours = new HashMap<>();
    for (long pid : pids) {
      Path stat = Path.of("/proc", Long.toString(pid), "stat");
      if (Files.isReadable(stat)) {
        ours.put(pid, ticks(Files.readString(stat)));
      }
    }
    return new CpuTimes(busy, total, ours);
  }

  private static long ticks(String stat) {
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    long ticks = 0;
    for (int i = 0; i < ALL_OWN_AND_CHILDREN; i++) {
      ticks += Long.parseLong(fields[USER + i]);
    }
    return ticks;
  }

  /** The share of the whole machine that other processes used since {@code earlier}. */
  double othersShareSince(CpuTimes earlier) {
    long mine = 0;
    for (Map.Entry<Long, Long> entry : ours.entrySet()) {
      mine += entry.getValue() - earlier.ours.getOrDefault(entry.getKey(), 0L);
    }
    // The system counts a process's ticks and all cores' apart, so the difference may be below 0.
    double others = Math.max(0, busy - earlier.busy - mine);
    return others / Math.max(1, total - earlier.total);
  }

  /** The most physical memory that a process had, in bytes; 0 when it has ended. */
  static long peakBytes(long pid) throws IOException {
    Path status = Path.of("/proc", Long.toString(pid), "status");
    if (!Files.isReadable(status)) {
      return 0;
    }
    return Files.readString(status)
        .lines()
        .filter(line -> line.startsWith("VmHWM:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
        .findFirst()
        .orElse(0);
  }
}
