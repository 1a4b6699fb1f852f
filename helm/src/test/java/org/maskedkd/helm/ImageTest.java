package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The images, built on a base of this machine's own files, run what the chart has them run: as its
 * user, with no network but a loopback, unpacking nothing. Needs root, Debian's buildah and
 * iproute2, and the jars that {@code mvnw package} leaves.
 */
@Tag("soak")
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
@EnabledIf("org.maskedkd.helm.Buildah#canRun")
class ImageTest {
  private static final Path REPOSITORY = Path.of("..").toAbsolutePath().normalize();
  private static final Path DOCKERFILE = REPOSITORY.resolve("Dockerfile");
  private static final int USER = 10001;
  private static final int ENDED_BY_SIGTERM = 143;
  private static final String BASE = "localhost/base";
  private static final String COORDINATOR = "localhost/maskedkd-coordinator";
  private static final String STAGE = "localhost/maskedkd";

  @TempDir private static Path scratch;
  private static Buildah buildah;

  @BeforeAll
  static void build() throws IOException, InterruptedException {
    assertThat(REPOSITORY.resolve("cli/target/lib/cli.jar")).exists();
    buildah = new Buildah(scratch.resolve("storage"));
    Path root = scratch.resolve("base");
    Process made =
        new ProcessBuilder(
                "src/test/images/base-root", root.toString(), System.getProperty("java.home"))
            .inheritIO()
            .start();
    assertThat(made.waitFor()).isZero();
    base(BASE, root);
    assertThat(image(COORDINATOR, "coordinator")).extracting(Buildah.Result::exit).isEqualTo(0);
    assertThat(image(STAGE, "stage", "--build-arg=FLAVOR=cpu", "--build-arg=STAGE_IMAGE=" + BASE))
        .extracting(Buildah.Result::exit)
        .isEqualTo(0);
  }

  @AfterAll
  static void close() {
    buildah.close();
  }

  private static void base(String name, Path root) throws IOException {
    Path dockerfile =
        Files.writeString(
            scratch.resolve("Dockerfile"),
            "FROM scratch\nCOPY . /\nENV PATH=/opt/java/openjdk/bin:/bin\n");
    Buildah.Result built = buildah.build(name, root, dockerfile);
    assertThat(built.exit()).as(built.said()).isZero();
  }

  private static Buildah.Result image(String name, String target, String... more) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "--target=" + target,
                "--build-arg=JDK_IMAGE=" + BASE,
                "--build-arg=JRE_IMAGE=" + BASE,
                "--build-arg=VERSION=1.2.3",
                "--build-arg=REVISION=abc"));
    arguments.addAll(List.of(more));
    return buildah.build(name, REPOSITORY, DOCKERFILE, arguments.toArray(String[]::new));
  }

  @ParameterizedTest
  @ValueSource(strings = {COORDINATOR, STAGE})
  void configuration_ofBoth_runsTheProgramWithoutRootAndSaysWhatItIs(String image) {
    JsonNode configuration = buildah.configuration(image);

    assertThat(configuration.path("User").asText()).isEqualTo(USER + ":" + USER);
    assertThat(configuration.path("StopSignal").asText()).isEqualTo("SIGTERM");
    assertThat(configuration.path("Entrypoint"))
        .extracting(JsonNode::asText)
        .containsExactly(
            "/opt/maskedkd/bin/launch", "/opt/java/openjdk/bin/java", "/opt/maskedkd/lib");
    JsonNode labels = configuration.path("Labels");
    assertThat(labels.path("org.opencontainers.image.title").asText()).startsWith("maskedkd ");
    assertThat(labels.path("org.opencontainers.image.version").asText()).isEqualTo("1.2.3");
    assertThat(labels.path("org.opencontainers.image.revision").asText()).isEqualTo("abc");
  }

  @Test
  void files_ofBoth_areWhatTheyNeedAndNothingElse() throws IOException {
    Path coordinator = buildah.root(buildah.container("files-coordinator", COORDINATOR, List.of()));
    Path stage = buildah.root(buildah.container("files-stage", STAGE, List.of()));

    assertThat(names(coordinator.resolve("opt/maskedkd/lib")))
        .contains("cli.jar")
        .noneMatch(name -> name.matches("(pytorch|api|tensor|vit|data|student|teacher|jna)-.*"));
    assertThat(names(coordinator.resolve("opt/maskedkd"))).doesNotContain("torch");
    assertThat(names(stage.resolve("opt/maskedkd/lib")))
        .contains("cli.jar")
        .noneMatch(name -> name.matches("pytorch-(native|jni).*"));
    assertThat(names(stage.resolve("opt/maskedkd/torch/lib")))
        .contains("libdjl_torch.so", "libtorch.so", "libtorch_cpu.so", "libc10.so");
    for (Path root : List.of(coordinator, stage)) {
      assertThat(names(root.resolve("opt/maskedkd/native")))
          .contains("libnetty_transport_native_epoll_x86_64.so");
      assertThat(owner(root.resolve("runs"))).isEqualTo(USER);
    }
  }

  @Test
  void build_flavorCu128_takesLibtorchOfItsBase() throws IOException, InterruptedException {
    Path torch = scratch.resolve("cuda/opt/conda/lib/python3.11/site-packages/torch");
    Files.createDirectories(torch.resolve("lib"));
    for (String name : List.of("torch", "torch_cpu", "torch_cuda", "c10_cuda")) {
      Files.createFile(torch.resolve("lib/lib" + name + ".so"));
    }
    boolean compiled = compileLikeTorch(torch);
    Files.writeString(torch.resolve("version.py"), "debug = False\n__version__ = '2.7.1+cu128'\n");
    copyPrograms(scratch.resolve("cuda"));
    base("localhost/cuda", scratch.resolve("cuda"));

    Buildah.Result built =
        image("localhost/maskedkd-cuda", "stage", "--build-arg=STAGE_IMAGE=localhost/cuda");

    assertThat(built.exit()).as(built.said()).isZero();
    Path libraries =
        buildah
            .root(buildah.container("files-cuda", "localhost/maskedkd-cuda", List.of()))
            .resolve("opt/maskedkd/torch/lib");
    assertThat(Files.readSymbolicLink(libraries.resolve("libtorch_cuda.so")))
        .isEqualTo(Path.of("/opt/conda/lib/python3.11/site-packages/torch/lib/libtorch_cuda.so"));
    assertThat(names(libraries))
        .containsExactlyInAnyOrder(
            "libdjl_torch.so",
            "libtorch.so",
            "libtorch_cpu.so",
            "libtorch_cuda.so",
            "libc10_cuda.so");
    assertThat(libraries.resolve("libdjl_torch.so")).isRegularFile();
    assumeTrue(compiled, "no C compiler: that torch finds CUDA's libraries is not checked");
    // By the link, as what does not resolve links first has it.
    Path said = scratch.resolve("loaded.txt");
    Process loader =
        buildah.start(
            "files-cuda",
            List.of(),
            List.of(
                "/lib64/ld-linux-x86-64.so.2",
                "--list",
                "/opt/maskedkd/torch/lib/libtorch_cuda.so"),
            said);
    assertThat(Buildah.exitCode(loader)).as(Files.readString(said)).isZero();
    assertThat(said).content().contains("libcublas.so.12 => /opt/maskedkd/torch/lib/../../nvidia/");
  }

  /**
   * A libtorch_cuda that needs a library of CUDA, which it finds as that of torch's wheels does.
   *
   * @return false where there is no C compiler
   */
  private static boolean compileLikeTorch(Path torch) throws IOException, InterruptedException {
    if (!Buildah.isOnPath("cc")) {
      return false;
    }
    Path cublas = Files.createDirectories(torch.resolveSibling("nvidia/cublas/lib"));
    Path source = Files.writeString(scratch.resolve("empty.c"), "int empty;\n");
    String needed = cublas.resolve("libcublas.so.12").toString();
    compile("-Wl,-soname,libcublas.so.12", "-o", needed, source.toString());
    compile(
        "-Wl,-rpath,$ORIGIN/../../nvidia/cublas/lib",
        "-Wl,--no-as-needed",
        "-o",
        torch.resolve("lib/libtorch_cuda.so").toString(),
        source.toString(),
        needed);
    return true;
  }

  private static void compile(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("cc", "-shared", "-fPIC", "-nostdlib"));
    command.addAll(List.of(arguments));
    assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
  }

  @Test
  void build_flavorCu128OnABaseWithoutIt_failsAndSaysWhatIsMissing() {
    Buildah.Result built = image("localhost/no", "stage", "--build-arg=STAGE_IMAGE=" + BASE);

    assertThat(built.exit()).isNotZero();
    assertThat(built.said()).contains("STAGE_IMAGE has no torch 2.7.1 for CUDA (found: none)");
  }

  @Test
  void build_flavorWithoutAJniLibrary_failsAndNamesThoseThatHaveOne() {
    Buildah.Result built =
        image(
            "localhost/no", "stage", "--build-arg=FLAVOR=cu99", "--build-arg=STAGE_IMAGE=" + BASE);

    assertThat(built.exit()).isNotZero();
    assertThat(built.said()).contains("no library for FLAVOR=cu99: expected cpu or cu128");
  }

  @Test
  void doctor_inTheStageImage_saysWhereLibtorchIs() throws IOException {
    ImagePod pod = new ImagePod(buildah, scratch.resolve("doctor"));

    ImagePod.Running doctor = pod.start("doctor", STAGE, List.of(), List.of("doctor"));

    assertThat(doctor.exitCode()).as(doctor.said()).isZero();
    assertThat(doctor.said())
        .contains("libtorch   in /opt/maskedkd/torch/lib, ", "libtorch=2.7.1", "device=cpu");
  }

  @Test
  void doctor_inTheCoordinatorsImage_isRefused() throws IOException {
    ImagePod pod = new ImagePod(buildah, scratch.resolve("refused"));

    ImagePod.Running doctor = pod.start("refused", COORDINATOR, List.of(), List.of("doctor"));

    assertThat(doctor.exitCode()).isEqualTo(64);
    assertThat(doctor.said()).contains("maskedkd: doctor needs the tensor library");
  }

  @Test
  void chart_onTheImages_runsToTheEnd() throws IOException {
    Path folder = scratch.resolve("chart");
    List<JsonNode> documents =
        Manifests.parse(Chart.renderWithHooks(Chart.preset("cpu-kind"), scratch.resolve("render")));
    ImagePod pod = new ImagePod(buildah, folder);
    pod.configure(documents);

    ImagePod.Running student = pod.start(documents, "student", STAGE);
    ImagePod.Running teacher = pod.start(documents, "teacher", STAGE);
    String stages =
        pod.awaitYes(
            COORDINATOR, urls("readyz livez metrics", 9400, 9401), List.of(student, teacher));
    ImagePod.Running coordinator = pod.start(documents, "coordinator", COORDINATOR);
    List<String> hook = new ArrayList<>(ImagePod.hook(documents));
    hook.addAll(urls("livez metrics", 9402));
    String all = pod.awaitYes(COORDINATOR, hook, List.of(student, teacher, coordinator));

    assertThat(stages)
        .contains(":9400/readyz: 200", ":9401/livez: 200")
        .contains(":9400/metrics: 200", ":9401/metrics: 200", "jvm_info{");
    assertThat(all).contains(":9402/readyz: 200", ":9402/metrics: 200", "jvm_info{");
    for (ImagePod.Running each : List.of(student, teacher, coordinator)) {
      // No shell is left between the container and the program, which gets its signals.
      assertThat(each.commands().get(each.commands().size() - 1))
          .endsWith("/rootfs/opt/java/openjdk/bin/java");
      assertThat(each.commands()).noneMatch(command -> command.endsWith("/sh"));
    }
    assertThat(coordinator.exitCode()).as(coordinator.said()).isZero();
    assertThat(teacher.exitCode()).as(teacher.said()).isZero();
    student.terminate();
    assertThat(student.exitCode()).as(student.said()).isEqualTo(ENDED_BY_SIGTERM);

    Path run = folder.resolve("runs/rel-maskedkd");
    assertThat(run.resolve("student.safetensors")).isNotEmptyFile();
    assertThat(owner(run.resolve("student.safetensors"))).isEqualTo(USER);
    for (ImagePod.Running each : List.of(student, teacher, coordinator)) {
      assertThat(writtenByUser(each.root())).isEmpty();
    }
  }

  private static List<String> urls(String pages, int... ports) {
    return Arrays.stream(ports)
        .boxed()
        .flatMap(
            port ->
                Stream.of(pages.split(" ", -1))
                    .map(page -> "http://127.0.0.1:" + port + "/" + page))
        .toList();
  }

  private static void copyPrograms(Path root) throws IOException {
    for (String folder : List.of("bin", "lib", "lib64")) {
      try (Stream<Path> files = Files.walk(scratch.resolve("base").resolve(folder))) {
        for (Path file : files.toList()) {
          Path copy = root.resolve(scratch.resolve("base").relativize(file).toString());
          if (Files.isDirectory(file)) {
            Files.createDirectories(copy);
          } else {
            Files.copy(file, copy, StandardCopyOption.COPY_ATTRIBUTES);
          }
        }
      }
    }
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }

  private static int owner(Path file) throws IOException {
    return (int) Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
  }

  /** Files of the program's user, who is given none. */
  private static List<Path> writtenByUser(Path root) throws IOException {
    List<Path> written = new ArrayList<>();
    try (Stream<Path> files = Files.walk(root)) {
      for (Path file : files.toList()) {
        if (!Files.isDirectory(file) && owner(file) == USER) {
          written.add(file);
        }
      }
    }
    return written;
  }
}
