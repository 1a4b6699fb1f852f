package org.maskedkd.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The module rules of the design: a module may use only what stands below it. */
class ArchitectureTest {
  private static final String OURS = "org.maskedkd..";
  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("org.maskedkd");

  private static String in(String module) {
    return "org.maskedkd." + module + "..";
  }

  @Test
  void importedClasses_areOfEveryModule() {
    assertThat(
            CLASSES.stream()
                .map(c -> c.getPackageName().split("\\.")[2])
                .collect(Collectors.toSet()))
        .contains(
            "proto",
            "schedule",
            "tensor",
            "vit",
            "runtime",
            "student",
            "teacher",
            "coordinator",
            "cli");
  }

  @Test
  void modules_useOnlyModulesBelow() {
    layeredArchitecture()
        .consideringOnlyDependenciesInAnyPackage(OURS)
        .withOptionalLayers(true)
        .layer("proto")
        .definedBy(in("proto"))
        .layer("schedule")
        .definedBy(in("schedule"))
        .layer("tensor")
        .definedBy(in("tensor"))
        .layer("vit")
        .definedBy(in("vit"))
        .layer("data")
        .definedBy(in("data"))
        .layer("runtime")
        .definedBy(in("runtime"))
        .layer("student")
        .definedBy(in("student"))
        .layer("teacher")
        .definedBy(in("teacher"))
        .layer("coordinator")
        .definedBy(in("coordinator"))
        .layer("cli")
        .definedBy(in("cli"))
        .whereLayer("proto")
        .mayNotAccessAnyLayer()
        .whereLayer("schedule")
        .mayNotAccessAnyLayer()
        .whereLayer("tensor")
        .mayNotAccessAnyLayer()
        .whereLayer("vit")
        .mayOnlyAccessLayers("tensor")
        .whereLayer("data")
        .mayOnlyAccessLayers("tensor")
        .whereLayer("runtime")
        .mayOnlyAccessLayers("proto")
        .whereLayer("student")
        .mayOnlyAccessLayers("proto", "schedule", "tensor", "vit", "data", "runtime")
        .whereLayer("teacher")
        .mayOnlyAccessLayers("proto", "tensor", "vit", "runtime")
        .whereLayer("coordinator")
        .mayOnlyAccessLayers("proto", "schedule", "runtime")
        .whereLayer("cli")
        .mayNotBeAccessedByAnyLayer()
        .check(CLASSES);
  }

  @Test
  void coordinator_knowsNoTensorLibrary() {
    noClasses()
        .that()
        .resideInAnyPackage(in("coordinator"), in("runtime"))
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("ai.djl..", in("tensor"), in("vit"), in("data"))
        .check(CLASSES);
  }

  @Test
  void coordinatorsProcess_beginsWithoutATensorLibrary() {
    // What its main class reaches directly; the commands that need the library are named only in
    // Main.
    noClasses()
        .that()
        .resideInAPackage(in("cli"))
        .and()
        .haveNameMatching(
            ".*\\.(Coordinator.*|Train.*|RunCommand.*|Simulate.*|CostOptions|Commands|LocalProcesses|Monitor|Stage.*|JavaCommand)")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "ai.djl..", in("tensor"), in("vit"), in("data"), in("student"), in("teacher"))
        .check(CLASSES);
  }

  @Test
  void onlyTensor_usesTheEnginesOwnClasses() {
    noClasses()
        .that()
        .resideInAPackage(OURS)
        .and()
        .resideOutsideOfPackage(in("tensor"))
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("ai.djl.pytorch..")
        .check(CLASSES);
  }

  @Test
  void nobody_usesTheEnginesTraining() {
    noClasses()
        .that()
        .resideInAPackage(OURS)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("ai.djl.training..")
        .check(CLASSES);
  }

  @Test
  void packages_areFlat() {
    classes()
        .that()
        .resideInAPackage(OURS)
        .and()
        .resideOutsideOfPackage(in("proto"))
        .should()
        .resideInAnyPackage(
            "org.maskedkd.schedule",
            "org.maskedkd.tensor",
            "org.maskedkd.vit",
            "org.maskedkd.data",
            "org.maskedkd.runtime",
            "org.maskedkd.student",
            "org.maskedkd.teacher",
            "org.maskedkd.coordinator",
            "org.maskedkd.cli")
        .check(CLASSES);
  }
}
