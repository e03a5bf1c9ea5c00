package dev.quern.converter.cli;

import dev.quern.converter.ConvertOptions;
import dev.quern.converter.ConvertResult;
import dev.quern.converter.Converter;
import dev.quern.converter.plan.Precision;
import dev.quern.converter.work.OutputDirectory;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code quern convert}: a model in, a pack out. */
@Command(
    name = "convert",
    mixinStandardHelpOptions = true,
    description = "Quantize a model folder into a pack.")
public final class ConvertCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "DIR",
      description = "folder with config.json and safetensors")
  private Path model;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "PACK",
      description = "folder of the pack, created if need be")
  private Path out;

  @Option(
      names = "--bits",
      required = true,
      paramLabel = "BITS",
      description = "routed experts: 2, 3, 4, 8 or 16; 16 keeps the source's type")
  private int bits;

  @Mixin private PrecisionOptions precisionOptions = new PrecisionOptions();

  @Option(
      names = "--master",
      paramLabel = "MASTER",
      defaultValue = ConvertOptions.DEFAULT_MASTER,
      description = "Spark's master, such as local[2] or spark://host:7077 (${DEFAULT-VALUE})")
  private String master;

  @Option(
      names = "--resume",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "continue an unfinished pack of the same options (default), or start again")
  private boolean resume;

  @Option(names = "--force", description = "replace a pack that was made otherwise")
  private boolean force;

  @Option(
      names = "--dry-run",
      description = "print what would be done, its sizes and its memory, and write nothing")
  private boolean dryRun;

  @Option(
      names = "--chunk-mb",
      hidden = true,
      paramLabel = "MB",
      defaultValue = "48",
      description = "input of one piece of work; the pack does not depend on it")
  private int chunkMegabytes;

  @Override
  public Integer call() throws IOException {
    PrintWriter text = spec.commandLine().getOut();
    ConvertOptions options = options();
    if (dryRun) {
      Converter converter = Converter.prepare(options);
      PlanText.print(converter, text);
      OutputDirectory.State state = converter.examine();
      if (state != OutputDirectory.State.COMPLETE) {
        converter.checkResources();
      }
      text.println(out + ": " + outlook(state));
      text.flush();
      return 0;
    }
    PrintWriter err = spec.commandLine().getErr();
    ProgressBar bar =
        new ProgressBar(err, System.console() != null && System.console().isTerminal());
    ConvertResult result = Converter.convert(options, bar);
    PlanText.print(result, text);
    text.flush();
    return 0;
  }

  private ConvertOptions options() {
    try {
      Precision precision = precisionOptions.precision(bits);
      return new ConvertOptions(
          model,
          out,
          precision,
          master,
          resume,
          force,
          Math.multiplyExact(chunkMegabytes, 1L << 20));
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private static String outlook(OutputDirectory.State state) {
    return switch (state) {
      case FRESH -> "would be written";
      case RESUMABLE -> "unfinished, would be continued";
      case COMPLETE -> "complete, nothing to do";
    };
  }
}
