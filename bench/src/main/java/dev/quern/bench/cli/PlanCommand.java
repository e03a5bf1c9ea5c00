package dev.quern.bench.cli;

import dev.quern.bench.cache.RoutingTrace;
import dev.quern.bench.plan.DiskRate;
import dev.quern.bench.plan.PlanReport;
import dev.quern.bench.plan.RecordedRouting;
import dev.quern.bench.plan.StreamingPlan;
import dev.quern.cli.ByteSize;
import dev.quern.experts.CachePolicyKind;
import dev.quern.model.ModelOptions;
import dev.quern.model.ModelSource;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code quern plan}: what a model takes and gives when its experts stay on disk. */
@Command(
    name = "plan",
    mixinStandardHelpOptions = true,
    description = {
      "Predict memory, hits and tokens per second of a model whose experts are read from disk,",
      "for several cache sizes and bits per weight, and recommend one."
    })
public final class PlanCommand implements Callable<Integer> {
  /** The longest context that is assumed unless another is asked for, as inspect does. */
  private static final int DEFAULT_CONTEXT = 4096;

  @Spec private CommandSpec spec;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "PATH",
      description = "a pack, or a model to convert: a Hugging Face folder or a GGUF file")
  private Path path;

  @Option(
      names = "--memory",
      required = true,
      paramLabel = "SIZE",
      converter = ByteSize.Converter.class,
      description = "for everything together: 6g is 6 GB, 6gi is 6 GiB")
  private ByteSize memory;

  @Option(
      names = "--disk-speed",
      paramLabel = "auto|SIZE",
      converter = DiskConverter.class,
      description = "bytes per second, such as 2g; auto measures (default)")
  private DiskOption disk = new DiskOption(Optional.empty());

  @Option(
      names = "--context",
      paramLabel = "TOKENS",
      description = "of the session (the smaller of 4096 and the model's)")
  private Integer context;

  @Option(names = "--threads", paramLabel = "N", description = "threads (all cores)")
  private Integer threads;

  @Option(
      names = "--traces",
      paramLabel = "DIR",
      description = {
        "routing recorded by collect-traces; without it, experts are taken to be about as",
        "popular as those of datasets/tiny-moe"
      })
  private Optional<Path> traces;

  @Option(
      names = "--bits",
      arity = "1..*",
      paramLabel = "BITS",
      description = "of a conversion: 2, 3, 4 or several of them (2 3 4)")
  private List<Integer> bits = List.of(2, 3, 4);

  @Option(
      names = "--cache",
      paramLabel = "POLICY",
      description = "which experts stay in memory, as for generate (its default)")
  private Optional<String> policy;

  @Option(names = "--no-prefetch", description = "experts are read when they are needed only")
  private boolean noPrefetch;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "draw speed against memory: DIR/plan.svg and plan.png")
  private Optional<Path> out;

  /** Empty: measure. */
  record DiskOption(Optional<ByteSize> bytesPerSecond) {}

  static final class DiskConverter implements ITypeConverter<DiskOption> {
    @Override
    public DiskOption convert(String value) {
      return new DiskOption(
          value.equals("auto")
              ? Optional.empty()
              : Optional.of(new ByteSize.Converter().convert(value)));
    }
  }

  @Override
  public Integer call() throws IOException {
    PrintWriter text = spec.commandLine().getOut();
    try (ModelSource source = ModelSource.open(path)) {
      StreamingPlan plan = StreamingPlan.of(source, question(source));
      StreamingPlan.Point recommended = plan.recommend(memory.bytes());
      PlanReport report = new PlanReport(path, plan, memory.bytes(), recommended);
      report.print(text);
      if (out.isPresent()) {
        report.draw(out.get());
        text.printf("%nchart: %s%n", out.get().resolve(PlanReport.CHART + ".svg"));
      }
      text.flush();
    }
    return 0;
  }

  private StreamingPlan.Question question(ModelSource source) throws IOException {
    Optional<RoutingTrace> routing =
        traces.isPresent()
            ? Optional.of(RecordedRouting.read(traces.get(), source.config()))
            : Optional.empty();
    try {
      return new StreamingPlan.Question(
          context == null ? Math.min(DEFAULT_CONTEXT, source.config().maxPositions()) : context,
          threads == null ? ModelOptions.defaultThreads() : threads,
          bits,
          disk.bytesPerSecond().map(speed -> DiskRate.usual(speed.bytes())),
          policy.map(CachePolicyKind::ofLabel).orElse(CachePolicyKind.DEFAULT),
          routing,
          noPrefetch ? 0 : StreamingPlan.readAhead(path));
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }
}
