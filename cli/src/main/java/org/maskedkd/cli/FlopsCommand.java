package org.maskedkd.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.vit.BlockTokens;
import org.maskedkd.vit.Macs;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.PatchSelection;
import org.maskedkd.vit.VitConfig;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What masking saves, counted (paper, appendix I). */
@Command(
    name = "flops",
    mixinStandardHelpOptions = true,
    description =
        "Multiply-accumulates of a student and of its teacher with some of the patches, per image and for a run.")
final class FlopsCommand implements Runnable {
  @Option(
      names = "--student",
      required = true,
      paramLabel = "MODEL",
      description = "A zoo name, vit:... or swin:...")
  private String student = "";

  @Option(
      names = "--teacher",
      required = true,
      paramLabel = "MODEL",
      description = "A zoo name or vit:...")
  private String teacher = "";

  @Option(
      names = "--keep",
      defaultValue = "0.5",
      paramLabel = "SHARE",
      description = "Share of the patches that are kept, in (0, 1]. Default: ${DEFAULT-VALUE}")
  private double keep;

  @Option(
      names = "--merge",
      defaultValue = "0",
      paramLabel = "N",
      description =
          "Pairs of tokens that each block of the teacher merges after its attention, as ToMe does. Default: ${DEFAULT-VALUE}")
  private int merge;

  @ArgGroup private Chooser chooser = new Chooser();

  /** What chooses the patches where the student's attention does not. */
  private static final class Chooser {
    @Option(
        names = "--guide",
        paramLabel = "MODEL",
        description =
            "A model whose attention chooses the patches in the student's place (masking.criterion teacher or model): it sees the whole image.")
    private @Nullable String guide;

    @Option(
        names = "--random",
        description = "Chance chooses the patches (masking.criterion random).")
    private boolean random;
  }

  @Option(
      names = "--who",
      defaultValue = "teacher",
      paramLabel = "WHO",
      description =
          "Who is given the kept patches alone: teacher, student or both. Default: ${DEFAULT-VALUE}")
  private RunConfig.Who who = RunConfig.Who.TEACHER;

  @Option(
      names = "--images",
      defaultValue = "1281167",
      paramLabel = "N",
      description = "Training images. Default: ${DEFAULT-VALUE}, ImageNet-1k's")
  private long images;

  @Option(
      names = "--epochs",
      defaultValue = "300",
      paramLabel = "N",
      description = "Default: ${DEFAULT-VALUE}")
  private long epochs;

  @Option(names = "--json", description = "Print one JSON object instead of a table.")
  private boolean json;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public void run() {
    VitConfig teacherModel = ModelZoo.parse(teacher);
    ModelConfig studentModel = ModelConfig.parse(student);
    int kept =
        who == RunConfig.Who.STUDENT
            ? teacherModel.patches()
            : PatchSelection.keepCount(keep, teacherModel.patches());
    long studentMacs = Macs.full(studentModel);
    String guide = chooser.guide;
    boolean itself = guide == null && !chooser.random;
    long training = who == RunConfig.Who.TEACHER ? studentMacs : masked(itself);
    long full = Macs.full(teacherModel);
    List<BlockTokens> tokens = BlockTokens.merging(teacherModel, kept, merge);
    long paper = Macs.forward(teacherModel, teacherModel.patches(), tokens);
    long ours = Macs.forward(teacherModel, kept, tokens);
    long guiding =
        guide == null
            ? 0
            : Macs.full(
                ModelZoo.parse(guide)
                    .withImage(studentModel.imageHeight(), studentModel.imageWidth()));
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.printf(
          Locale.ROOT,
          "{\"student_macs\":%d,\"student_macs_training\":%d,\"teacher_macs\":%d,\"teacher_macs_masked\":%d,\"teacher_macs_masked_embedding_kept\":%d,"
              + "\"guide_macs\":%d,\"merged_per_block\":%d,\"kept\":%d,\"patches\":%d,\"images\":%d,\"epochs\":%d}%n",
          studentMacs,
          training,
          full,
          paper,
          ours,
          guiding,
          merge,
          kept,
          teacherModel.patches(),
          images,
          epochs);
      return;
    }
    out.printf(
        Locale.ROOT,
        "%d of %d patches kept%s; multiply-accumulates of forward passes, matrix products only%n%n",
        kept,
        teacherModel.patches(),
        merge == 0 ? "" : ", " + merge + " tokens merged in each block");
    out.printf("%-46s %12s %14s %9s%n", "", "per image", "for the run", "of full");
    row(out, "student " + name(student), studentMacs, 0);
    if (who != RunConfig.Who.TEACHER) {
      row(
          out,
          "student in training, " + (itself ? "choosing its own patches" : "kept patches alone"),
          training,
          studentMacs);
    }
    row(out, "teacher " + name(teacher), full, full);
    row(out, "teacher masked, as the paper counts", paper, full);
    row(out, "teacher masked, embedding only kept patches", ours, full);
    if (guide != null) {
      row(out, "guide " + name(guide), guiding, full);
    }
    out.printf(Locale.ROOT, "%nRun: %,d images x %,d epochs.%n", images, epochs);
  }

  private long masked(boolean byItself) {
    VitConfig model = ModelZoo.parse(student);
    int kept = PatchSelection.keepCount(keep, model.patches());
    return byItself ? Macs.maskedByItself(model, kept) : Macs.masked(model, kept);
  }

  private static String name(String model) {
    return model.length() <= 38 ? model : model.substring(0, 35) + "...";
  }

  private void row(PrintWriter out, String what, long macs, long of) {
    String share = of == 0 ? "" : String.format(Locale.ROOT, "%.1f %%", 100.0 * macs / of);
    out.printf(
        Locale.ROOT,
        "%-46s %12s %14s %9s%n",
        what,
        readable(macs),
        readable((double) macs * images * epochs),
        share);
  }

  /** With the prefix that leaves one to four digits before the point. */
  static String readable(double macs) {
    String prefixes = " kMGTP";
    int prefix = 0;
    double value = macs;
    while (value >= 10_000 && prefix < prefixes.length() - 1 || value >= 1000 && prefix < 3) {
      value /= 1000;
      prefix++;
    }
    return String.format(Locale.ROOT, "%.2f %s", value, prefixes.charAt(prefix));
  }
}
