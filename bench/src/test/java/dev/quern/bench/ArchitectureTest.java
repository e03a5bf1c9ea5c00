package dev.quern.bench;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The arrows of the architecture: bench → converter → runtime, and inside runtime model → format →
 * quant → kernels.
 */
class ArchitectureTest {
  private static final String RUNTIME = "dev.quern.runtime-rooms";
  private static final String[] RUNTIME_ROOMS = {
    "dev.quern.system..",
    "dev.quern.kernels..",
    "dev.quern.quant..",
    "dev.quern.format..",
    "dev.quern.model..",
    "dev.quern.experts..",
    "dev.quern.kv..",
    "dev.quern.text..",
    "dev.quern.cli.."
  };

  private static JavaClasses quern;

  @BeforeAll
  static void readClasses() {
    quern =
        new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("dev.quern");
  }

  @Test
  void modulesPointOneWay() {
    layeredArchitecture()
        .consideringOnlyDependenciesInLayers()
        .layer(RUNTIME)
        .definedBy(RUNTIME_ROOMS)
        .layer("converter")
        .definedBy("dev.quern.converter..")
        .layer("bench")
        .definedBy("dev.quern.bench..")
        .whereLayer("bench")
        .mayNotBeAccessedByAnyLayer()
        .whereLayer("converter")
        .mayOnlyBeAccessedByLayers("bench")
        .check(quern);
  }

  @Test
  void roomsOfTheRuntimePointOneWay() {
    layeredArchitecture()
        .consideringOnlyDependenciesInLayers()
        .layer("system")
        .definedBy("dev.quern.system..")
        .layer("kernels")
        .definedBy("dev.quern.kernels..")
        .layer("quant")
        .definedBy("dev.quern.quant..")
        .layer("format")
        .definedBy("dev.quern.format..")
        .layer("kv")
        .definedBy("dev.quern.kv..")
        .layer("experts")
        .definedBy("dev.quern.experts..")
        .layer("text")
        .definedBy("dev.quern.text..")
        .layer("model")
        .definedBy("dev.quern.model..")
        .layer("cli")
        .definedBy("dev.quern.cli..")
        .whereLayer("system")
        .mayOnlyBeAccessedByLayers("kernels", "format", "experts", "model", "cli")
        .whereLayer("kernels")
        .mayOnlyBeAccessedByLayers("quant", "format", "kv", "experts", "model", "cli")
        .whereLayer("quant")
        .mayOnlyBeAccessedByLayers("format", "experts", "model", "cli")
        .whereLayer("format")
        .mayOnlyBeAccessedByLayers("experts", "model", "cli")
        .whereLayer("kv")
        .mayOnlyBeAccessedByLayers("model", "cli")
        .whereLayer("experts")
        .mayOnlyBeAccessedByLayers("model", "cli")
        .whereLayer("model")
        .mayOnlyBeAccessedByLayers("cli")
        .whereLayer("text")
        .mayOnlyBeAccessedByLayers("cli")
        .whereLayer("cli")
        .mayNotBeAccessedByAnyLayer()
        .check(quern);
  }

  @Test
  void theRuntimeStaysLean() {
    noClasses()
        .that()
        .resideInAnyPackage(RUNTIME_ROOMS)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "org.apache.spark..",
            "org.apache.hadoop..",
            "org.apache.parquet..",
            "org.apache.commons.math3..",
            "org.openjdk.jmh..",
            "org.knowm..")
        .check(quern);
  }

  @Test
  void sparkLivesInOnePackage() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.quern.converter.spark..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.apache.spark..", "org.apache.hadoop..", "scala..")
        .check(quern);
  }

  @Test
  void picocliLivesInTheCommands() {
    noClasses()
        .that()
        .resideOutsideOfPackages(
            "dev.quern.cli..", "dev.quern.converter.cli..", "dev.quern.bench.cli..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("picocli..")
        .check(quern);
  }

  @Test
  void incubatingVectorsStayInTheInnerLoops() {
    classes()
        .that(
            not(
                resideInAnyPackage(
                    "dev.quern.kernels..",
                    "dev.quern.format..",
                    "dev.quern.converter.quantize..",
                    "dev.quern.bench.jmh..")))
        .should()
        .onlyDependOnClassesThat(not(resideInAnyPackage("jdk.incubator..")))
        .check(quern);
  }
}
