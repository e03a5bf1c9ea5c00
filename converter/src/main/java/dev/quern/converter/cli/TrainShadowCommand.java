package dev.quern.converter.cli;

import dev.quern.converter.ConvertOptions;
import dev.quern.converter.shadow.FitOptions;
import dev.quern.converter.shadow.Latency;
import dev.quern.converter.shadow.ShadowJson;
import dev.quern.converter.shadow.ShadowOptions;
import dev.quern.converter.shadow.ShadowReport;
import dev.quern.converter.shadow.ShadowText;
import dev.quern.converter.shadow.ShadowTrainer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code quern train-shadow}: traces in, a predictor of experts into the pack. */
@Command(
    name = "train-shadow",
    mixinStandardHelpOptions = true,
    description = "Learn from traces which experts come next, and score it beside baselines.")
public final class TrainShadowCommand implements Callable<Integer> {
  private static final Pattern SHAPE = Pattern.compile("(\\d{1,6}),(\\d{1,6}),(\\d{1,4})");
  private static final int SHAPE_VOCABULARY = 150_000;

  @Spec private CommandSpec spec;

  @Option(
      names = "--traces",
      required = true,
      paramLabel = "DIR",
      description = "folder that collect-traces wrote, with a train and a valid split")
  private Path traces;

  @Option(
      names = "--evaluate",
      paramLabel = "DIR",
      description = "score by the test split of these traces instead")
  private Optional<Path> evaluate = Optional.empty();

  @Option(
      names = "--out",
      required = true,
      paramLabel = "PACK",
      description = "folder that gets shadow/ and " + ShadowJson.NAME)
  private Path out;

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description = "pack or folder of the model that was traced (default: PACK)")
  private Optional<Path> model = Optional.empty();

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      defaultValue = "1500000",
      description = "tokens to learn from, rounded up to whole parts (${DEFAULT-VALUE})")
  private long maxTokens;

  @Option(
      names = "--distances",
      paramLabel = "N",
      defaultValue = "4",
      description = "layers ahead (${DEFAULT-VALUE})")
  private int distances;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      defaultValue = "4",
      description = "passes over the tokens, may be broken (${DEFAULT-VALUE})")
  private double epochs;

  @Option(
      names = "--hidden",
      paramLabel = "N",
      defaultValue = "0",
      description = "hidden units, a multiple of 64; 0 chooses by the model's size")
  private int hidden;

  @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "${DEFAULT-VALUE}")
  private long seed;

  @Option(
      names = "--master",
      paramLabel = "MASTER",
      defaultValue = ConvertOptions.DEFAULT_MASTER,
      description = "Spark's master, such as local[2] or spark://host:7077 (${DEFAULT-VALUE})")
  private String master;

  @Option(
      names = "--baseline-only",
      description = "score what needs no training; write only the report")
  private boolean baselineOnly;

  @Option(
      names = "--shape",
      paramLabel = "HIDDEN,EXPERTS,LAYERS",
      description = "also time predictions of a model of this shape, with random weights")
  private List<String> shapes = new ArrayList<>();

  @Override
  public Integer call() throws IOException {
    PrintWriter err = spec.commandLine().getErr();
    ShadowOptions options = options();
    List<Latency> latencies = shapes.stream().map(text -> latency(text, options.fit())).toList();
    if (!Files.isDirectory(out)) {
      throw new NotDirectoryException(out.toString());
    }
    ShadowTrainer trainer =
        ShadowTrainer.open(
            options,
            line -> {
              err.println(line);
              err.flush();
            });
    ShadowReport report = baselineOnly ? trainer.baselines(latencies) : trainer.train(latencies);
    ShadowJson.write(report, out.resolve(ShadowJson.NAME));
    ShadowText.print(report, spec.commandLine().getOut());
    return 0;
  }

  private ShadowOptions options() {
    try {
      return new ShadowOptions(
          traces,
          evaluate,
          model.orElse(out),
          out,
          maxTokens,
          distances,
          FitOptions.of(hidden, epochs, seed),
          master);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private Latency latency(String text, FitOptions fit) {
    Matcher shape = SHAPE.matcher(text);
    if (!shape.matches()) {
      throw new ParameterException(
          spec.commandLine(), "--shape: expected hidden,experts,layers, found " + text);
    }
    int hiddenSize = Integer.parseInt(shape.group(1));
    int experts = Integer.parseInt(shape.group(2));
    int layers = Integer.parseInt(shape.group(3));
    if (hiddenSize < 1 || experts < 1 || layers < 3) {
      throw new ParameterException(
          spec.commandLine(), "--shape: expected at least 1,1,3, found " + text);
    }
    return Latency.measure(hiddenSize, experts, layers, SHAPE_VOCABULARY, fit);
  }
}
