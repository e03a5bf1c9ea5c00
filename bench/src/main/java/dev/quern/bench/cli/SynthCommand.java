package dev.quern.bench.cli;

import dev.quern.bench.synth.SyntheticModel;
import dev.quern.bench.synth.SyntheticShape;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code quern synth}: a model of real shapes with random weights. */
@Command(
    name = "synth",
    mixinStandardHelpOptions = true,
    description = "Write a model folder of real layer shapes with random weights.")
public final class SynthCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--like",
      required = true,
      paramLabel = "MODEL",
      description = "whose shapes: qwen3-30b-a3b or qwen3-235b-a22b")
  private String like;

  @Option(names = "--layers", paramLabel = "N", description = "layers (all of the model's)")
  private Integer layers;

  @Option(names = "--experts", paramLabel = "N", description = "experts per layer (the model's)")
  private Integer experts;

  @Option(
      names = "--vocab",
      paramLabel = "N",
      description = "vocabulary (${DEFAULT-VALUE})",
      defaultValue = "32768")
  private int vocabSize;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "a new or empty folder")
  private Path out;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "of the weights (${DEFAULT-VALUE})",
      defaultValue = "0")
  private long seed;

  @Override
  public Integer call() throws IOException {
    SyntheticShape shape;
    try {
      shape = SyntheticShape.named(like).withVocabSize(vocabSize);
      shape = layers == null ? shape : shape.withLayers(layers);
      shape = experts == null ? shape : shape.withExperts(experts);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    SyntheticModel model = new SyntheticModel(shape, seed);
    long start = System.nanoTime();
    long[] nextPercent = {10};
    model.write(
        out,
        written -> {
          long percent = 100 * written / model.bytes();
          if (percent >= nextPercent[0]) {
            nextPercent[0] = percent + 10;
            spec.commandLine().getErr().printf("%d %% of %,d MB%n", percent, model.bytes() >> 20);
            spec.commandLine().getErr().flush();
          }
        });
    double seconds = (System.nanoTime() - start) / 1e9;
    spec.commandLine()
        .getOut()
        .printf(
            "%s: %,d MB of %s, %d layers, in %.1f s (%.0f MB/s)%n",
            out,
            model.bytes() >> 20,
            shape.name(),
            shape.layers(),
            seconds,
            model.bytes() / 1e6 / seconds);
    return 0;
  }
}
