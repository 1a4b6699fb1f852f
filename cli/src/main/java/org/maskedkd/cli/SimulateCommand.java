package org.maskedkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.maskedkd.schedule.Advice;
import org.maskedkd.schedule.Costs;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.SchedulePlanner;
import org.maskedkd.schedule.Simulation;
import org.maskedkd.schedule.Simulator;
import org.maskedkd.schedule.StepPicture;
import org.maskedkd.schedule.SvgDrawing;
import org.maskedkd.schedule.TextDrawing;
import org.maskedkd.schedule.Tuner;
import org.maskedkd.schedule.Tuning;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What a step takes by schedule, before anything runs. Needs no tensor library. */
@Command(
    name = "simulate",
    mixinStandardHelpOptions = true,
    description =
        "Predicts how long a step takes with one order and cut of the batch or another, and how much of it the devices are idle.",
    footer = {
      "",
      "Times are those of the whole batch, in any unit. M is the number of micro-batches, memory the largest share of the batch",
      "whose activations the student holds; bubble is what a better schedule could save, imbalance what only other devices could.",
      "",
      "  maskedkd simulate --forward=1 --backward=2 --teacher=4 --overhead=0.01 --transfer=0.02 --optimizer=0.05 --draw"
    })
final class SimulateCommand implements Runnable {
  private static final String AUTO = "auto";
  private static final List<String> DEFAULT_MICRO_BATCHES = List.of("4", "8", AUTO);
  private static final int COLUMNS = 100;

  /** With more micro-batches their arrows hide each other. */
  private static final int MOST_WITH_ARROWS = 16;

  @Mixin private CostOptions times = new CostOptions();

  @Option(
      names = "--batch",
      defaultValue = "128",
      paramLabel = "N",
      description = "Samples in a step. Default: ${DEFAULT-VALUE}")
  private int batch;

  @Option(
      names = "--micro-batches",
      split = ",",
      paramLabel = "HOW",
      description =
          "How the batch is cut, several with commas between: a number of equal micro-batches, sizes such as 4:16:58:29:14:7, or auto for the best found. Default: 4,8,auto")
  private List<String> microBatches = List.of();

  @Option(
      names = "--orders",
      split = ",",
      paramLabel = "ORDER",
      description =
          "sequential, concurrent-full, masked-whole, fill-drain, eager; several with commas between. Default: all")
  private List<String> orders = List.of();

  @Option(
      names = "--teachers",
      split = ",",
      paramLabel = "K",
      description =
          "How many teachers, several with commas between. Default: 1, or as many as --slow names")
  private List<Integer> teachers = List.of();

  @Option(
      names = "--slow",
      split = ",",
      paramLabel = "FACTOR",
      description =
          "Per teacher how many times as long as --teacher it takes, such as 1,2.5. Default: 1 for each")
  private List<Double> slow = List.of();

  @Option(
      names = "--window",
      paramLabel = "N",
      description = "Most samples whose activations the student holds. Default: the batch")
  private @Nullable Integer window;

  @Option(
      names = "--memory",
      paramLabel = "SHARE",
      description = "The window as a share of the batch, in (0, 1].")
  private @Nullable Double memory;

  @Option(
      names = "--stale-masks",
      defaultValue = "0",
      paramLabel = "L",
      description =
          "With fill-drain and eager the teachers begin a step before its first forward: the masks of the first L micro-batches are chosen by the weights of one step before, which changes what is learned. Default: ${DEFAULT-VALUE}")
  private int staleMasks;

  @Option(
      names = "--svg",
      paramLabel = "FILE",
      description = "Also draws all of them in this file.")
  private @Nullable Path svg;

  @Option(names = "--draw", description = "Also draws each with characters.")
  private boolean draw;

  @Option(names = "--json", description = "Print one JSON object a line instead of a table.")
  private boolean json;

  @Spec private CommandSpec spec = CommandSpec.create();

  private final Set<String> notes = new LinkedHashSet<>();

  @Override
  public void run() {
    notes.clear();
    List<SimulatedStep> steps = steps();
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      steps.forEach(step -> out.println(step.json()));
    } else {
      out.println(SimulatedStep.head());
      steps.forEach(step -> out.println(step.row()));
      out.println();
      out.printf(
          "Speed-up over one device at a time with one teacher, %s a step.%n",
          SimulatedStep.number(steps.get(0).sequential()));
      notes.forEach(out::println);
    }
    List<StepPicture> pictures = steps.stream().map(SimulatedStep::picture).toList();
    if (draw) {
      drawText(out, pictures);
    }
    if (svg != null) {
      boolean few =
          steps.stream().allMatch(step -> step.schedule().sizes().size() <= MOST_WITH_ARROWS);
      write(svg, SvgDrawing.draw(pictures, "", few));
    }
  }

  private List<SimulatedStep> steps() {
    if (batch < 1) {
      throw new IllegalArgumentException("--batch must be at least 1, found " + batch);
    }
    int held = window();
    if (staleMasks < 0) {
      throw new IllegalArgumentException("--stale-masks must be at least 0, found " + staleMasks);
    }
    double sequential = sequential(held);
    List<SimulatedStep> steps = new ArrayList<>();
    for (int count : teacherCounts()) {
      List<Double> slowness =
          slow.isEmpty() ? Collections.nCopies(count, 1.0) : slow.subList(0, count);
      List<SimulatedStep> eager = new ArrayList<>();
      for (Order order : orders(held)) {
        Costs costs = costs(order);
        for (Schedule exact : schedules(order, held, slowness)) {
          Schedule schedule = withStaleMasks(exact);
          Simulation simulation = Simulator.run(schedule, costs, slowness);
          SimulatedStep step =
              new SimulatedStep(
                  schedule, slowness, simulation, costs.bound(batch, slowness), sequential);
          steps.add(step);
          if (order == Order.EAGER) {
            eager.add(step);
          }
        }
      }
      eager.stream()
          .mapToDouble(step -> step.simulation().step())
          .min()
          .ifPresent(best -> advise(slowness, best));
    }
    if (steps.isEmpty()) {
      throw new IllegalArgumentException(
          "no order fits a window of %d samples for a batch of %d".formatted(held, batch));
    }
    return steps;
  }

  /** Where the option has a meaning, or was asked for in so many words. */
  private Schedule withStaleMasks(Schedule exact) {
    boolean useful = exact.order() == Order.EAGER || exact.order() == Order.FILL_DRAIN;
    if (staleMasks == 0 || (!useful && orders.isEmpty())) {
      return exact;
    }
    notes.add(
        "Stale masks: the first %d of each step are chosen by the weights of one step before, at the cost of one more forward each. This changes what is learned."
            .formatted(staleMasks));
    return SchedulePlanner.withStaleMasks(exact, staleMasks);
  }

  private Costs costs(Order order) {
    return order == Order.CONCURRENT_FULL ? times.full(batch) : times.masked(batch);
  }

  private void advise(List<Double> slowness, double step) {
    String teachers = slowness.size() == 1 ? "1 teacher" : slowness.size() + " teachers";
    Costs costs = times.masked(batch);
    notes.add(
        "With %s no order beats %s."
            .formatted(teachers, SimulatedStep.number(costs.bound(batch, slowness))));
    notes.addAll(Advice.of(costs, batch, slowness, step).sentences());
  }

  /** As few micro-batches as the window allows, for each of which everybody waits. */
  private double sequential(int held) {
    List<Integer> sizes = SchedulePlanner.uniform(batch, (batch + held - 1) / held);
    return Simulator.run(
            SchedulePlanner.plan(Order.SEQUENTIAL, sizes, held, 1),
            times.masked(batch),
            List.of(1.0))
        .step();
  }

  private int window() {
    if (window != null && memory != null) {
      throw new IllegalArgumentException(
          "--window=%d and --memory=%s say the same; give one of them".formatted(window, memory));
    }
    if (memory != null) {
      if (!(memory > 0 && memory <= 1)) {
        throw new IllegalArgumentException("--memory must be in (0, 1], found " + memory);
      }
      return Math.max(1, (int) (memory * batch + 1e-9));
    }
    if (window == null) {
      return batch;
    }
    if (window < 1) {
      throw new IllegalArgumentException("--window must be at least 1, found " + window);
    }
    return Math.min(window, batch);
  }

  private List<Integer> teacherCounts() {
    List<Integer> counts = teachers;
    if (counts.isEmpty()) {
      counts = List.of(slow.isEmpty() ? 1 : slow.size());
    }
    for (int count : counts) {
      if (count < 1) {
        throw new IllegalArgumentException("--teachers must be at least 1, found " + count);
      }
      if (!slow.isEmpty() && count > slow.size()) {
        throw new IllegalArgumentException(
            "--slow names %d teachers, %s, for %d; give a factor for each"
                .formatted(slow.size(), slow, count));
      }
    }
    return counts;
  }

  /** What was asked for, or without that all that the window has room for. */
  private List<Order> orders(int held) {
    if (!orders.isEmpty()) {
      return orders.stream().map(String::strip).map(Order::of).toList();
    }
    List<Order> all = new ArrayList<>(Arrays.asList(Order.values()));
    if (held < batch) {
      all.removeIf(order -> SchedulePlanner.leastWindow(order, List.of(1, batch - 1)) == batch);
      notes.add(
          "masked-whole and fill-drain hold the whole batch and are left out with a window of %d."
              .formatted(held));
    }
    return all;
  }

  private Set<Schedule> schedules(Order order, int held, List<Double> slowness) {
    boolean asked = !microBatches.isEmpty();
    // The best may be one of the others.
    Set<Schedule> schedules = new LinkedHashSet<>();
    for (String how : asked ? microBatches : DEFAULT_MICRO_BATCHES) {
      if (how.strip().equals(AUTO)) {
        schedules.add(best(order, held, slowness));
        continue;
      }
      if (!asked && Integer.parseInt(how) > batch) {
        continue;
      }
      List<Integer> sizes = sizes(how.strip());
      if (asked || SchedulePlanner.leastWindow(order, sizes) <= held) {
        schedules.add(SchedulePlanner.plan(order, sizes, held, slowness.size()));
      }
    }
    return schedules;
  }

  private List<Integer> sizes(String how) {
    if (!how.matches("\\d{1,9}(:\\d{1,9})*")) {
      throw new IllegalArgumentException(
          "'%s' is no way to cut a batch; expected a number, sizes such as 4:16:58:29:14:7, or auto"
              .formatted(how));
    }
    if (!how.contains(":")) {
      return SchedulePlanner.uniform(batch, Integer.parseInt(how));
    }
    List<Integer> sizes = Arrays.stream(how.split(":")).map(Integer::valueOf).toList();
    long sum = sizes.stream().mapToLong(Integer::longValue).sum();
    if (sum != batch) {
      throw new IllegalArgumentException(
          "the sizes %s add up to %d, not to the batch of %d".formatted(how, sum, batch));
    }
    return sizes;
  }

  /** Tuned for the eager order, for others the best number of equal micro-batches. */
  private Schedule best(Order order, int held, List<Double> slowness) {
    if (order == Order.EAGER) {
      Tuning tuning = Tuner.choose(costs(order), batch, held, slowness);
      notes.addAll(tuning.notes());
      return tuning.schedule();
    }
    int fewest = (batch + held - 1) / held;
    Schedule best = uniform(order, fewest, held, slowness);
    double shortest = Simulator.run(best, costs(order), slowness).step();
    for (int count = fewest + 1; count <= Math.min(batch, Tuner.MOST_MICRO_BATCHES); count++) {
      Schedule other = uniform(order, count, held, slowness);
      double step = Simulator.run(other, costs(order), slowness).step();
      if (step < shortest * (1 - 1e-3)) {
        best = other;
        shortest = step;
      }
    }
    return best;
  }

  private Schedule uniform(Order order, int count, int held, List<Double> slowness) {
    return SchedulePlanner.plan(
        order, SchedulePlanner.uniform(batch, count), held, slowness.size());
  }

  private static void drawText(PrintWriter out, List<StepPicture> pictures) {
    double longest = pictures.stream().mapToDouble(StepPicture::duration).max().orElse(1);
    for (StepPicture picture : pictures) {
      out.println();
      out.println(picture.title());
      out.print(TextDrawing.draw(picture, COLUMNS, longest));
    }
    out.flush();
  }

  private static void write(Path file, String text) {
    try {
      Files.writeString(file, text);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }
}
