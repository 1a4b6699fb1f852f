package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.schedule.Order;

class ConfigLoaderTest {

  private static final String SMALL =
      """
      student:
        model: vit:image=32,patch=4
      teacher:
        {model: deit-small, weights: w.safetensors}
      data:
        train: generated:shapes
        eval: generated:shapes
      """;

  @Test
  void parse_nothingButTheRequired_hasTheRecipesDefaults() {
    RunConfig config = parse(SMALL);

    assertThat(config.distillation())
        .isEqualTo(
            new RunConfig.Distillation(
                RunConfig.Kind.SOFT,
                0.5,
                1,
                RunConfig.Heads.MEAN,
                new RunConfig.Manifold(0, 4, 0.1, 0.2, 192, 32, List.of(), List.of()),
                new RunConfig.AttentionMaps(0, List.of(), List.of())));
    assertThat(config.schedule())
        .isEqualTo(
            new RunConfig.Schedule(
                300, 1024, MicroBatches.uniform(4), 1024, Order.EAGER, 0, false));
    assertThat(config.optimizer())
        .isEqualTo(new RunConfig.Optimizer(1e-3, 1e-5, 5, 1e-6, 0.9, 0.999, 1e-8, 0.05, 0, 1));
    assertThat(config.augmentation())
        .isEqualTo(
            new RunConfig.Augmentation(
                "",
                RunConfig.Crop.RANDOM_RESIZED,
                4,
                0.08,
                1,
                0.75,
                4.0 / 3,
                0.5,
                "",
                0,
                1,
                0.8,
                1,
                1,
                0.5,
                0.25,
                0.1,
                0));
    assertThat(config.masking())
        .isEqualTo(
            new RunConfig.Masking(
                RunConfig.Who.TEACHER,
                0.5,
                0,
                RunConfig.Criterion.STUDENT,
                RunConfig.Row.CLASS,
                -1,
                RunConfig.Choice.TOP,
                0,
                "",
                ""));
    assertThat(config.student().dropPath()).isEqualTo(0.1);
    assertThat(config.student().mean()).containsExactly(0.485, 0.456, 0.406);
    assertThat(config.distils()).isTrue();
    assertThat(config.report()).isEqualTo(new RunConfig.Report(8));
    assertThat(config.deterministic()).isTrue();
    assertThat(config.directory()).isEqualTo(Path.of("runs/run"));
  }

  @Test
  void parse_batchAndEpochs_leadTheDerivedValues() {
    RunConfig config = parse(SMALL, "schedule.batch=128", "schedule.epochs=20");

    assertThat(config.optimizer().learningRate()).isCloseTo(1.25e-4, within(1e-18));
    assertThat(config.optimizer().warmupEpochs()).isEqualTo(2);
    assertThat(config.schedule().window()).isEqualTo(128);
  }

  @Test
  void toYaml_anyConfig_readsBackEqual() {
    RunConfig config =
        parse(
            SMALL,
            "name=42",
            "schedule.batch=10",
            "schedule.micro-batches=[1, 4, 5]",
            "schedule.window=7",
            "optimizer.learning-rate=1e-4",
            "teacher.addresses=[\"127.0.0.1:9091\"]",
            "data.on-corrupt=skip",
            "augmentation.crop=pad",
            "seed=9007199254740993");

    assertThat(parse(ConfigLoader.toYaml(config))).isEqualTo(config);
    assertThat(config.name()).isEqualTo("42");
    assertThat(config.seed()).isEqualTo(9007199254740993L);
    assertThat(config.optimizer().learningRate()).isEqualTo(1e-4);
    assertThat(config.schedule().microBatches()).isEqualTo(MicroBatches.of(List.of(1, 4, 5)));
  }

  @Test
  void parse_recipe_givesItsValuesToKeysThatNobodySets() {
    RunConfig.Augmentation deit = parse(SMALL, "augmentation.recipe=deit").augmentation();
    assertThat(deit.randAugment()).isEqualTo("rand-m9-mstd0.5-inc1");
    assertThat(deit.repeats()).isEqualTo(3);
    assertThat(List.of(deit.mixup(), deit.cutmix(), deit.erasing(), deit.labelSmoothing()))
        .containsExactly(0.8, 1.0, 0.25, 0.1);

    String file = SMALL + "augmentation: {recipe: simple, erasing: 0.5}\n";
    RunConfig.Augmentation simple = parse(file, "augmentation.flip=0.25").augmentation();
    assertThat(simple.recipe()).isEqualTo("simple");
    assertThat(List.of(simple.mixup(), simple.cutmix())).containsExactly(0.0, 0.0);
    assertThat(simple.erasing()).isEqualTo(0.5);
    assertThat(simple.flip()).isEqualTo(0.25);
    assertThat(simple.labelSmoothing()).isEqualTo(0.1);
    assertThat(simple.repeats()).isEqualTo(1);
    assertThat(simple.crop()).isEqualTo(RunConfig.Crop.RANDOM_RESIZED);

    // A key that the file sets stays, whichever recipe is named later.
    RunConfig.Augmentation other = parse(file, "augmentation.recipe=deit").augmentation();
    assertThat(other.erasing()).isEqualTo(0.5);
    assertThat(other.mixup()).isEqualTo(0.8);
    assertThat(parse(file, "augmentation.recipe=").augmentation().mixup()).isEqualTo(0.8);
  }

  @Test
  void toYaml_withARecipe_readsBackEqualWhateverTheRecipeHolds() {
    RunConfig config = parse(SMALL, "augmentation.recipe=deit", "augmentation.mixup=0.3");

    String yaml = ConfigLoader.toYaml(config);
    assertThat(parse(yaml)).isEqualTo(config);
    assertThat(parse(yaml, "augmentation.recipe=deit")).isEqualTo(config);
  }

  @Test
  void parse_recipeOverAFileThatSetsAllItsKeys_isRefusedAsItWouldChangeNothing() {
    String yaml = ConfigLoader.toYaml(parse(SMALL, "augmentation.recipe=deit"));

    assertThat(refusal(yaml, "augmentation.recipe=simple"))
        .contains("augmentation.recipe=simple would change nothing", "one by one");
    RunConfig nameless = parse(yaml, "augmentation.recipe=");
    assertThat(nameless.augmentation().repeats()).isEqualTo(3);
    assertThat(Resumption.check(parse(yaml), nameless))
        .containsExactly(
            "augmentation.recipe was \"deit\" and is now \"\": a name only; the values that it"
                + " stood for decide");
  }

  @Test
  void parse_colorJitterBesideRandAugment_isRefusedWithTheReason() {
    assertThat(refusal(SMALL, "augmentation.recipe=deit", "augmentation.color-jitter=0.3"))
        .contains("color-jitter is 0.3", "rand-m9-mstd0.5-inc1", "timm");
    assertThat(parse(SMALL, "augmentation.color-jitter=0.3").augmentation().colorJitter())
        .isEqualTo(0.3);
  }

  @Test
  void parse_unknownKey_namesTheNearestAndItsPlace() {
    assertThat(refusal(SMALL + "schedule:\n  epoch: 3\n"))
        .contains("test.yaml line 9", "\"schedule.epoch\"", "\"schedule.epochs\"");
    assertThat(refusal(SMALL, "keep=0.5")).contains("override", "\"masking.keep\"");
    assertThat(refusal(SMALL, "shedule.batch=4")).contains("\"schedule\"");
  }

  @Test
  void parse_duplicateKey_isRefused() {
    assertThat(refusal(SMALL + "seed: 1\nseed: 2\n")).contains("test.yaml line 9", "seed");
  }

  @Test
  void parse_sectionOrLeafInThePlaceOfTheOther_isRefused() {
    assertThat(refusal(SMALL, "schedule=4")).contains("schedule is a section");
    assertThat(refusal(SMALL, "schedule.batch.size=4")).contains("schedule.batch");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "masking.keep=0 | masking.keep is 0.0",
        "masking.keep=1.01 | masking.keep is 1.01",
        "masking.keep-end=-0.5 | masking.keep-end is -0.5",
        "masking.random-share=1 | masking.criterion random",
        "masking.criterion=model | expected model with both",
        "masking.weights=dino.safetensors | or another criterion",
        "masking.who=nobody | one of teacher, student, both",
        "masking.criterion=dino | one of student, random, teacher, model",
        "distillation.kind=sofft | one of soft, hard, none",
        "distillation.alpha=1.5 | distillation.alpha is 1.5",
        "distillation.temperature=0 | distillation.temperature is 0.0",
        "distillation.heads=both | one of mean, separate",
        "distillation.manifold.weight=-1 | distillation.manifold.weight is -1.0",
        "distillation.manifold.rows=0 | distillation.manifold.rows is 0",
        "distillation.manifold.group=0 | distillation.manifold.group is 0",
        "distillation.attention.weight=-0.1 | distillation.attention.weight is -0.1",
        "distillation.attention.student-blocks=[1] | as many of both",
        "report.images=-1 | report.images is -1, expected 0 to 64",
        "report.images=65 | report.images is 65",
        "schedule.epochs=0 | schedule.epochs is 0",
        "schedule.epochs=2.5 | schedule.epochs",
        "schedule.epochs=many | schedule.epochs is \"many\"",
        "schedule.batch=3 | too small for 4 micro-batches",
        "schedule.window=255 | order eager must hold 256",
        "schedule.micro-batches=[1, 2] | adds up to 3",
        "schedule.micro-batches=[1, x] | a list of their sizes",
        "schedule.micro-batches=0 | schedule.micro-batches is 0",
        "optimizer.learning-rate=-1 | optimizer.learning-rate is -1.0",
        "optimizer.learning-rate=fast | optimizer.learning-rate is \"fast\"",
        "optimizer.warmup-epochs=301 | optimizer.warmup-epochs is 301.0",
        "optimizer.beta2=1 | optimizer.beta2 is 1.0",
        "ema.decay=1 | ema.decay is 1.0",
        "student.std=[1, 0, 1] | positive",
        "student.mean=[1] | student.mean has 1",
        "augmentation.flip=2 | augmentation.flip is 2.0",
        "augmentation.scale-min=0 | scale-min",
        "augmentation.color-jitter=1.5 | augmentation.color-jitter is 1.5",
        "augmentation.recipe=diet | augmentation.recipe is \"\"diet\"\", expected one of deit, simple",
        "data.shuffle-shards=-1 | data.shuffle-shards is -1",
        "checkpoint.keep=0 | checkpoint.keep is 0",
        "teacher.merge=-1 | teacher.merge is -1",
        "teacher.image=large | one of upsampled, native",
        "teacher.replicas=0 | teacher.replicas is 0",
        "deterministic=maybe | deterministic is \"maybe\"",
        "name=../x | name is",
        "student.model= | student.model is missing",
        "data.eval= | data.eval is missing",
        "teacher.model=swin_tiny_patch4_window7_224 | windows need every patch",
      })
  void parse_valueOutOfRange_isRefusedWithTheValue(String override, String expected) {
    assertThat(refusal(SMALL, override)).contains(expected.replace("\"\"", "\""));
  }

  @Test
  void parse_fillDrain_needsAWindowOfTheBatch() {
    assertThat(refusal(SMALL, "schedule.order=fill-drain", "schedule.window=512"))
        .contains("512", "1024", "fill-drain");
  }

  @Test
  void parse_objectivesThatDoNotGoTogether_areRefusedWithTheReason() {
    String manifold = "distillation.manifold.weight=1";
    assertThat(refusal(SMALL, "distillation.attention.weight=1", "distillation.kind=none"))
        .contains("distillation.attention.weight 1.0", "found none");
    assertThat(refusal(SMALL, "distillation.heads=separate", "distillation.kind=none"))
        .contains("distillation.heads separate", "found none");
    assertThat(refusal(SMALL, manifold, "teacher.merge=2")).contains("expected teacher.merge 0");
    assertThat(refusal(SMALL, manifold, "masking.who=both")).contains("found 0 and both");
    assertThat(
            refusal(
                SMALL,
                manifold,
                "distillation.manifold.patch=0",
                "distillation.manifold.sample=0",
                "distillation.manifold.random=0"))
        .contains("patch, sample and random are all 0");
    assertThat(refusal(SMALL, manifold, "schedule.micro-batches=auto"))
        .contains("a group of 32", "schedule.micro-batches is auto");
  }

  @Test
  void parse_groupsOfImages_mayNotBeCut() {
    String[] related = {
      "distillation.manifold.weight=1",
      "distillation.manifold.group=4",
      "schedule.batch=16",
      "schedule.micro-batches=[4,10,2]"
    };
    assertThat(refusal(SMALL, related)).contains("a group of 4", "found [4, 10, 2]");
    related[3] = "schedule.micro-batches=[4,8,4]";
    assertThat(parse(SMALL, related).distillation().manifold().group()).isEqualTo(4);
    String[] within = {
      related[0], "distillation.manifold.sample=0", "distillation.manifold.random=0"
    };
    assertThat(parse(SMALL, within).distillation().manifold().weight()).isEqualTo(1);
  }

  @Test
  void parse_studentMasked_needsATeacherAndItsOwnWeights() {
    assertThat(refusal(SMALL, "masking.who=student", "distillation.kind=none"))
        .contains("masking.who is student", "no teacher");
    assertThat(refusal(SMALL, "masking.who=both", "schedule.stale-masks=1"))
        .contains("schedule.stale-masks is 1", "masking.who is both");
    assertThat(refusal(SMALL, "masking.who=both", "schedule.order=concurrent-full"))
        .contains("masking.keep is 0.5", "masking.who student");
    // The teacher sees all patches and waits for nobody.
    assertThat(
            parse(SMALL, "masking.who=student", "schedule.order=concurrent-full")
                .masking()
                .teachersKeep())
        .isEqualTo(1);
  }

  @Test
  void parse_severalFaults_areToldAtOnce() {
    assertThat(refusal(SMALL, "masking.keep=2", "distillation.alpha=3"))
        .contains("masking.keep", "distillation.alpha");
  }

  @Test
  void parse_teacherWithoutWeights_isRefusedUnlessItRunsOrNothingIsLearned() {
    assertThat(refusal(SMALL, "teacher.weights=")).contains("teacher.weights is missing");
    assertThat(parse(SMALL, "teacher.weights=", "teacher.addresses=[h:1]").distils()).isTrue();
    assertThat(parse(SMALL, "teacher.weights=", "distillation.kind=none").distils()).isFalse();
  }

  @Test
  void distils_noTeacherOrNothingToLearn_isFalse() {
    assertThat(parse(SMALL, "teacher.model=").distils()).isFalse();
    assertThat(parse(SMALL, "distillation.kind=none").distils()).isFalse();
    assertThat(parse(SMALL, "teacher.model=", "teacher.addresses=[localhost:1]").distils())
        .isTrue();
  }

  @Test
  void trainSource_relativeUnderRoot_isResolved() {
    RunConfig.Data data = parse(SMALL, "data.root=/images", "data.train=train").data();

    assertThat(data.trainSource()).isEqualTo("/images/train");
    assertThat(data.evalSource()).isEqualTo("generated:shapes");
    assertThat(parse(SMALL, "data.root=/images").data().trainSource())
        .isEqualTo("generated:shapes");
    RunConfig.Data kinds =
        parse(SMALL, "data.root=/i", "data.train=shards:s/{0..3}.tar", "data.eval=cifar:/c!test")
            .data();
    assertThat(kinds.trainSource()).isEqualTo("shards:/i/s/{0..3}.tar");
    assertThat(kinds.evalSource()).isEqualTo("cifar:/c!test");
    assertThat(RunConfig.Data.under("/i", "idx:images.gz")).isEqualTo("idx:/i/images.gz");
  }

  @Test
  void load_missingFile_isRefusedWithItsName() {
    RunException e =
        catchThrowableOfType(
            RunException.class, () -> ConfigLoader.load(Path.of("/nowhere/x.yaml"), List.of()));

    assertThat(e).hasMessageContaining("/nowhere/x.yaml");
    assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE);
  }

  private static RunConfig parse(String yaml, String... overrides) {
    return ConfigLoader.parse(yaml, "test.yaml", List.of(overrides));
  }

  private static String refusal(String yaml, String... overrides) {
    RunException e = catchThrowableOfType(RunException.class, () -> parse(yaml, overrides));
    assertThat(e).isNotNull();
    assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE);
    return String.valueOf(e.getMessage());
  }
}
