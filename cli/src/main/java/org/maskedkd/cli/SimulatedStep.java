package org.maskedkd.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.SchedulePlanner;
import org.maskedkd.schedule.Simulation;
import org.maskedkd.schedule.StepPicture;

/**
 * One row of the table.
 *
 * @param slowness per teacher
 * @param bound what no schedule can beat
 * @param sequential the step that it is compared with
 */
record SimulatedStep(
    Schedule schedule,
    List<Double> slowness,
    Simulation simulation,
    double bound,
    double sequential) {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int MOST_SIZES = 40;
  private static final String ROW = "%-16s %3s  %-40s %8s %9s %8s %10s %9s %7s";

  static String head() {
    return String.format(
        ROW,
        "order",
        "M",
        "sizes",
        "teachers",
        "step",
        "bubble",
        "imbalance",
        "speed-up",
        "memory");
  }

  String row() {
    return String.format(
        Locale.ROOT,
        ROW,
        schedule.order().text(),
        schedule.sizes().size(),
        sizes(),
        slowness.size(),
        number(simulation.step()),
        percent(simulation.bubble()),
        percent(simulation.imbalance()),
        String.format(Locale.ROOT, "%.2fx", speedUp()),
        percent(memory()));
  }

  String json() {
    ObjectNode node = JSON.createObjectNode();
    node.put("order", schedule.order().text());
    node.put("micro_batches", schedule.sizes().size());
    schedule.sizes().forEach(node.putArray("sizes")::add);
    node.put("window", schedule.window());
    node.put("teachers", slowness.size());
    slowness.forEach(node.putArray("slowness")::add);
    if (schedule.stale() > 0) {
      node.put("stale_masks", schedule.stale());
    }
    node.put("step", simulation.step());
    node.put("bubble", simulation.bubble());
    node.put("imbalance", simulation.imbalance());
    node.put("bound", bound);
    node.put("speed_up", speedUp());
    node.put("peak_samples", simulation.peak());
    node.put("peak_share", memory());
    return node.toString();
  }

  StepPicture picture() {
    int teachers = slowness.size();
    String title =
        "%s, %s of %d, %s%s"
            .formatted(
                schedule.order().text(),
                schedule.sizes().size() == 1 ? "whole batch" : sizes(),
                schedule.batch(),
                teachers == 1 ? "1 teacher" : teachers + " teachers",
                schedule.stale() == 0 ? "" : ", first " + schedule.stale() + " masks stale");
    return StepPicture.of(title, simulation);
  }

  /** {@code 4 x 32} or {@code 4 x 32-33} where they are equal, cut short where they are many. */
  private String sizes() {
    List<Integer> sizes = schedule.sizes();
    if (sizes.equals(SchedulePlanner.uniform(schedule.batch(), sizes.size()))) {
      int most = sizes.get(0);
      int least = sizes.get(sizes.size() - 1);
      return sizes.size() + " x " + (least == most ? most : least + "-" + most);
    }
    String all = sizes.stream().map(String::valueOf).collect(Collectors.joining(":"));
    return all.length() <= MOST_SIZES ? all : all.substring(0, MOST_SIZES - 3) + "...";
  }

  private double speedUp() {
    return sequential / simulation.step();
  }

  private double memory() {
    return (double) simulation.peak() / schedule.batch();
  }

  static String number(double value) {
    return String.format(Locale.ROOT, "%.4g", value);
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * share);
  }
}
