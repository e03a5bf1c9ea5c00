package dev.quern.bench.cli;

import dev.quern.bench.quality.Evaluation;
import dev.quern.bench.quality.EvaluationOptions;
import dev.quern.bench.quality.Shortcuts;
import dev.quern.bench.quality.SourceCommit;
import dev.quern.bench.quality.VariantMethod;
import dev.quern.bench.report.Results;
import dev.quern.converter.plan.Precision;
import dev.quern.format.FormatException;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code quern demo}: everything once, on the model that comes with the project. */
@Command(
    name = "demo",
    mixinStandardHelpOptions = true,
    description = {
      "Convert the model in datasets/tiny-moe at 3 bits, let it tell a story, measure 2, 3 and 4",
      "bits against the original on a part of its validation text, and write a report."
    })
public final class DemoCommand implements Callable<Integer> {
  private static final int STORY_BITS = 3;
  private static final String STORY_BEGINS =
      "Once upon a time there was a little fox who lived at the edge of a great forest.";

  @Spec private CommandSpec spec;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "folder of report and packs (reports/demo)")
  private Path out = Path.of("reports", "demo");

  @Option(
      names = "--num-samples",
      paramLabel = "N",
      defaultValue = "40",
      description = "windows of 512 tokens to measure, evenly spaced (${DEFAULT-VALUE} of 201)")
  private int windows;

  @Override
  public Integer call() throws IOException {
    long start = System.nanoTime();
    PrintWriter text = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    Path model = model();
    Path packs = out.resolve("packs");
    Path pack = packs.resolve(VariantMethod.TURBO.label() + "-" + STORY_BITS);
    int code =
        step(
            "convert",
            "--model",
            model.toString(),
            "--out",
            pack.toString(),
            "--bits",
            Integer.toString(STORY_BITS),
            "--force"); // a demo that was run before shows the same again
    if (code != 0) {
      return code;
    }
    text.println();
    text.print(STORY_BEGINS); // generate prints only what the model adds
    text.flush();
    code =
        step(
            "generate",
            "--model",
            pack.toString(),
            "--prompt",
            STORY_BEGINS,
            "--max-tokens",
            "120",
            "--temperature",
            "0.8",
            "--top-p",
            "0.9",
            "--seed",
            "7");
    if (code != 0) {
      return code;
    }
    text.println();
    text.flush();
    err.println();
    err.println("measuring " + windows + " evenly spaced windows of the validation text");
    err.flush();
    Results results =
        new Evaluation(
                options(model, packs),
                line -> {
                  err.printf(
                      Locale.ROOT, "[%3.0f s] %s%n", (System.nanoTime() - start) / 1e9, line);
                  err.flush();
                })
            .run();
    text.println();
    ReportFolder.print(results, text);
    ReportFolder.write(results, out, text);
    return 0;
  }

  /** Runs another command of this program, as a user would. */
  private int step(String command, String... arguments) {
    PrintWriter err = spec.commandLine().getErr();
    StringBuilder line = new StringBuilder("$ ./quern ").append(command);
    for (String argument : arguments) {
      line.append(' ').append(argument.contains(" ") ? "\"" + argument + "\"" : argument);
    }
    err.println();
    err.println(line);
    err.flush();
    return spec.parent().subcommands().get(command).execute(arguments);
  }

  private static Path model() throws FormatException {
    Path model =
        SourceCommit.projectFolder()
            .map(folder -> folder.resolve("datasets").resolve("tiny-moe").resolve("model"))
            .filter(Files::isDirectory)
            .orElseThrow(() ->
                new FormatException(
                    "datasets/tiny-moe/model: not found. Run the demo in a clone of the project"));
    Path here = Path.of("").toAbsolutePath();
    return model.startsWith(here) ? here.relativize(model) : model;
  }

  private EvaluationOptions options(Path model, Path packs) {
    return new EvaluationOptions(
        model,
        model.resolveSibling("text").resolve("valid.txt"),
        List.of(2, 3, 4),
        List.of(VariantMethod.values()),
        Precision.experts(Precision.Method.TURBO, Precision.SOURCE_BITS),
        Optional.of(windows),
        512,
        packs,
        true,
        Optional.empty(),
        ModelOptions.defaultThreads(),
        3,
        Shortcuts.NONE,
        "./quern demo");
  }
}
