package org.maskedkd.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.data.ContactSheet;
import org.maskedkd.data.Image;
import org.maskedkd.data.ImageSource;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.GracefulStop;
import org.maskedkd.runtime.RunException;
import org.maskedkd.vit.Macs;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.PatchSelection;
import org.maskedkd.vit.VitConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The main job on a small scale: the same student trained four ways, each by three processes. */
@Command(
    name = "demo",
    mixinStandardHelpOptions = true,
    description =
        "Distils a small student from the teacher that comes with the program, on generated images, four ways: alone,"
            + " from a teacher that sees everything, from one that sees what the student attends to, and from one that sees"
            + " random patches. No download; a few minutes on two cores.")
final class DemoCommand implements Callable<Integer> {
  private static final int SHEET_IMAGES = 64;
  private static final int SHEET_COLUMNS = 16;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description =
          "Folder of the four runs, must not exist. Default: runs/demo, or the next free runs/demo-N")
  private Path out = Path.of("");

  @Option(
      names = "--epochs",
      defaultValue = "0",
      paramLabel = "N",
      description = "Epochs of each run. Default: the demo's own")
  private int epochs;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (epochs < 0) {
      throw new RunException(
          ExitCode.USAGE,
          "--epochs is " + epochs + ", expected 1 or more, or 0 for the demo's own");
    }
    // Ctrl-C reaches the running arm too, which checkpoints; this process waits for it and passes
    // on its exit code.
    GracefulStop.install();
    PrintWriter say = spec.commandLine().getOut();
    Path folder = newFolder();
    Path teacher = extract("teacher.safetensors", folder);
    Path file = extract("student.yaml", folder);
    List<String> common = new ArrayList<>();
    common.add("runs-dir=" + RunCommand.quoted(folder.toString()));
    common.add("teacher.weights=" + RunCommand.quoted(teacher.toAbsolutePath().toString()));
    if (epochs > 0) {
      common.add("schedule.epochs=" + epochs);
      common.add("evaluation.every-epochs=" + epochs);
    }
    RunConfig config = ConfigLoader.load(file, common);
    Path sheet = contactSheet(config, folder);
    say.printf(
        Locale.ROOT,
        "The same student (%s) is trained four ways, %d epochs of %s each.%n"
            + "A sample of the images: %s%n",
        shortly(config.student().model()),
        config.schedule().epochs(),
        config.data().train(),
        sheet);
    Map<DemoArm, DemoResult> results = new EnumMap<>(DemoArm.class);
    Map<DemoArm, Duration> times = new EnumMap<>(DemoArm.class);
    for (DemoArm arm : DemoArm.values()) {
      say.printf("%n[%d/%d] %s%n", arm.ordinal() + 1, DemoArm.values().length, arm.title);
      say.flush();
      long start = System.nanoTime();
      int exit = train(file, common, arm);
      if (exit != 0) {
        return exit;
      }
      times.put(arm, Duration.ofNanos(System.nanoTime() - start));
      results.put(arm, DemoResult.of(folder.resolve(arm.run)));
    }
    say.print(table(config, results, times));
    say.printf("%nThe runs, with configuration, metrics, logs and weights: %s%n", folder);
    say.printf("A page about all of them: %s%n", Report.write(folder, null));
    say.flush();
    return ExitCode.DONE.code();
  }

  private Path newFolder() throws IOException {
    Path folder = out;
    if (folder.toString().isEmpty()) {
      folder = Path.of("runs", "demo");
      for (int n = 2; Files.exists(folder); n++) {
        folder = Path.of("runs", "demo-" + n);
      }
    } else if (Files.exists(folder)) {
      throw new RunException(
          ExitCode.USAGE,
          "%s exists already; name another folder with --out, or remove it".formatted(folder));
    }
    return Files.createDirectories(folder);
  }

  private static Path extract(String resource, Path folder) throws IOException {
    Path file = folder.resolve(resource);
    try (InputStream in = DemoCommand.class.getResourceAsStream("demo/" + resource)) {
      if (in == null) {
        throw new IllegalStateException("the program lacks its resource demo/" + resource);
      }
      Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
    }
    return file;
  }

  private static Path contactSheet(RunConfig config, Path folder) throws IOException {
    Path file = folder.resolve("images.png");
    try (ImageSource source = ImageSource.open(config.data().evalSource(), Path.of(""))) {
      List<Image> images = new ArrayList<>();
      List<String> labels = new ArrayList<>();
      for (int i = 0; i < SHEET_IMAGES; i++) {
        int index = (int) ((long) i * source.size() / SHEET_IMAGES);
        images.add(source.decode(index));
        labels.add(source.classes().get(source.label(index)));
      }
      ContactSheet.write(file, images, SHEET_COLUMNS, labels);
    }
    return file;
  }

  private static int train(Path file, List<String> common, DemoArm arm)
      throws IOException, InterruptedException {
    List<String> arguments = new ArrayList<>(List.of("train", "-c", file.toString()));
    arguments.addAll(common);
    arguments.add("name=" + arm.run);
    arguments.addAll(arm.overrides);
    return new ProcessBuilder(JavaCommand.ofCoordinator(arguments)).inheritIO().start().waitFor();
  }

  private static String table(
      RunConfig config, Map<DemoArm, DemoResult> results, Map<DemoArm, Duration> times) {
    VitConfig teacher = ModelZoo.parse(config.teacher().model());
    StringBuilder table = new StringBuilder();
    table.append(
        String.format(
            Locale.ROOT,
            "%n%-28s %16s %11s %20s %15s %8s%n",
            "",
            "top-1 (± s.e.)",
            "images/s",
            "teacher M-MAC/image",
            "busy stud/teach",
            "time"));
    results.forEach(
        (arm, result) -> {
          long macs =
              arm.keep == 0
                  ? 0
                  : Macs.masked(teacher, PatchSelection.keepCount(arm.keep, teacher.patches()));
          table.append(
              String.format(
                  Locale.ROOT,
                  "%-28s %8.1f ± %3.1f %% %11.0f %20.1f %8.0f/%.0f %% %7d s%n",
                  arm.title,
                  100 * result.top1(),
                  100 * result.standardError(),
                  result.imagesPerSecond(),
                  macs / 1e6,
                  100 * result.studentBusy(),
                  100 * result.teacherBusy(),
                  times.getOrDefault(arm, Duration.ZERO).toSeconds()));
        });
    return table.toString();
  }

  private static String shortly(String model) {
    return model.replace(",classes=8", "");
  }
}
