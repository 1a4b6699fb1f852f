package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Arrays;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

/** Against the paper's figures (appendix I and Table 2). */
class FlopsCommandTest {
  private static final String[] DEIT = {
    "flops",
    "--student",
    "deit_small_patch16_224",
    "--teacher",
    "deit_base_patch16_224",
    "--keep",
    "0.5"
  };

  private static JsonNode json(String... more) throws Exception {
    String[] args = Arrays.copyOf(DEIT, DEIT.length + 1 + more.length);
    System.arraycopy(more, 0, args, DEIT.length, more.length);
    args[args.length - 1] = "--json";
    Run run = Run.of(args);
    assertThat(run.err()).isEmpty();
    assertThat(run.exit()).isZero();
    assertThat(run.out().lines()).hasSize(1);
    return new ObjectMapper().readTree(run.out());
  }

  @Test
  void json_deitSmallFromDeitBase_agreesWithThePaper() throws Exception {
    JsonNode macs = json();
    assertThat(macs.get("student_macs").asDouble()).isCloseTo(4.60e9, Percentage.withPercentage(1));
    assertThat(macs.get("teacher_macs").asDouble())
        .isCloseTo(17.56e9, Percentage.withPercentage(1));
    assertThat(macs.get("teacher_macs_masked").asDouble())
        .isCloseTo(8.71e9, Percentage.withPercentage(1));
    assertThat(macs.get("kept").asInt()).isEqualTo(98);
    // Embedding 98 patches fewer: 98 * 768 * 768.
    assertThat(
            macs.get("teacher_macs_masked").asLong()
                - macs.get("teacher_macs_masked_embedding_kept").asLong())
        .isEqualTo(98L * 768 * 768);
  }

  @Test
  void json_studentMasked_countsTheForwardThatChoosesAndAWholeTeacher() throws Exception {
    JsonNode teacher = json();
    JsonNode student = json("--who", "student");
    JsonNode both = json("--who=both");
    assertThat(teacher.get("student_macs_training")).isEqualTo(teacher.get("student_macs"));
    // 4.60 G for choosing, and 2.25 G by the paper's count, which embeds 98 patches of width 384
    // more.
    assertThat(student.get("student_macs_training").asDouble())
        .isCloseTo(4.60e9 + 2.25e9 - 98. * 768 * 384, Percentage.withPercentage(1));
    assertThat(student.get("teacher_macs_masked")).isEqualTo(student.get("teacher_macs"));
    assertThat(both.get("student_macs_training")).isEqualTo(student.get("student_macs_training"));
    assertThat(both.get("teacher_macs_masked")).isEqualTo(teacher.get("teacher_macs_masked"));
  }

  @Test
  void json_studentMaskedByAGuideOrChance_countsNoForwardThatChooses() throws Exception {
    JsonNode itself = json("--who", "student");
    long masked =
        itself.get("student_macs_training").asLong() - itself.get("student_macs").asLong();

    JsonNode guided = json("--who=student", "--guide", "dino_small_patch16_224");
    JsonNode chance = json("--who=both", "--random");
    assertThat(guided.get("student_macs_training").asLong()).isEqualTo(masked);
    assertThat(guided.get("guide_macs")).isEqualTo(itself.get("student_macs"));
    assertThat(chance.get("student_macs_training").asLong()).isEqualTo(masked);
    assertThat(chance.get("guide_macs").asLong()).isZero();

    Run both = Run.of("flops", "--student=x", "--teacher=x", "--guide=x", "--random");
    assertThat(both.exit()).isEqualTo(64);
    assertThat(both.err()).contains("--guide", "--random", "mutually exclusive");
  }

  @Test
  void table_wholeRun_agreesWithThePapersTable() {
    Run run = Run.of(DEIT);
    assertThat(run.exit()).isZero();
    String[] full = row(run, "teacher deit_base");
    String[] masked = row(run, "teacher masked, as the paper");
    assertThat(Double.parseDouble(full[0])).isCloseTo(17.56, within(0.1));
    assertThat(full[1]).isEqualTo("G");
    assertThat(Double.parseDouble(full[2])).isCloseTo(6751, Percentage.withPercentage(1));
    assertThat(full[3]).isEqualTo("P");
    assertThat(Double.parseDouble(masked[2])).isCloseTo(3346, Percentage.withPercentage(1));
  }

  @Test
  void json_guideAndMerging_areCounted() throws Exception {
    JsonNode macs = json("--guide", "dino_small_patch16_224", "--merge", "7");
    assertThat(macs.get("guide_macs").asLong()).isEqualTo(macs.get("student_macs").asLong());
    assertThat(macs.get("merged_per_block").asInt()).isEqualTo(7);
    // 99 tokens, then 7 less from each MLP on.
    long blocks = 0;
    for (long n = 99; n > 99 - 12 * 7; n -= 7) {
      blocks += 4 * n * 768 * 768 + 2 * n * n * 768 + 8 * (n - 7) * 768 * 768;
    }
    assertThat(macs.get("teacher_macs_masked").asLong())
        .isEqualTo(196L * 768 * 768 + blocks + 768 * 1000);
  }

  @Test
  void json_swin_isAStudentButNoTeacher() {
    String[] student = DEIT.clone();
    student[2] = "swin_tiny_patch4_window7_224";
    Run run = Run.of(student);
    assertThat(row(run, "student swin_tiny")[0]).isEqualTo("4.49");
    String[] teacher = DEIT.clone();
    teacher[4] = "swin_tiny_patch4_window7_224";
    Run refused = Run.of(teacher);
    assertThat(refused.exit()).isEqualTo(64);
    assertThat(refused.err()).contains("windows need every patch");
  }

  private static String[] row(Run run, String label) {
    String line = run.out().lines().filter(l -> l.startsWith(label)).findFirst().orElseThrow();
    return line.substring(46).strip().split("\\s+");
  }

  @Test
  void run_unknownModel_exits64AndNamesTheNearest() {
    Run run =
        Run.of("flops", "--student", "deit_smal_patch16_224", "--teacher", "deit_base_patch16_224");
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("deit_small_patch16_224");
  }

  @Test
  void run_keepOutOfRange_exits64() {
    Run run =
        Run.of(
            "flops",
            "--student",
            "deit_tiny_patch16_224",
            "--teacher",
            "deit_base_patch16_224",
            "--keep",
            "1.5");
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("1.5");
  }
}
