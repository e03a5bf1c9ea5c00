package dev.quern.bench.streaming;

import dev.quern.bench.plan.StreamingPlan;
import dev.quern.bench.quality.SourceCommit;
import dev.quern.bench.report.LineChart;
import dev.quern.bench.report.Machine;
import dev.quern.bench.streaming.StreamingResults.Decoding;
import dev.quern.bench.streaming.StreamingResults.Memory;
import dev.quern.bench.streaming.StreamingResults.Prefilling;
import dev.quern.bench.streaming.StreamingResults.Reading;
import dev.quern.bench.streaming.StreamingResults.Warming;
import dev.quern.format.AtomicFile;
import dev.quern.format.Json;
import dev.quern.format.ShadowFile;
import dev.quern.kernels.MemoryBandwidth;
import dev.quern.model.ModelSource;
import dev.quern.model.WeightSizes;
import dev.quern.system.ProcessIo;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;

/** Measures a pack whose experts stay on disk, and writes table, record and pictures. */
public final class StreamingBench {
  private StreamingBench() {}

  /** Which parts are measured. */
  public record Parts(boolean decoding, boolean memory, boolean warming, boolean prefilling) {}

  /** Tokens per second that are predicted; 0 if none are. */
  @FunctionalInterface
  interface Predicted {
    double of(Way way, double share);
  }

  /**
   * @param prefillChunks of the ways that cut the prompt
   * @param plan that predicts; empty for no predictions
   * @throws IOException if the pack cannot be read
   */
  public static StreamingResults run(
      StreamingProtocol protocol,
      Parts parts,
      List<Integer> prefillChunks,
      Optional<StreamingPlan> plan,
      Consumer<String> progress)
      throws IOException {
    StreamingRuns runs = new StreamingRuns(protocol, progress);
    Predicted predicted = predicted(plan, protocol.pack());
    Optional<ProcessIo> start = ProcessIo.now();
    Reading reading = runs.reading();
    List<Decoding> decodings = new ArrayList<>();
    if (parts.decoding) {
      boolean shadow = ShadowFile.isIn(protocol.pack());
      List<Way> ways = Way.all(runs.readers(), runs.topK(), shadow);
      for (double share : protocol.shares()) {
        for (Decoding decoding : runs.decode(ways, share)) {
          Way way = named(ways, decoding.way());
          decoding = way.slots() > 0 ? decoding : decoding.predicted(predicted.of(way, share));
          decodings.add(decoding);
        }
      }
    }
    List<Memory> memory = new ArrayList<>();
    if (parts.memory) {
      for (double share : protocol.shares()) {
        memory.add(runs.memory(share));
      }
    }
    List<Warming> warming = parts.warming ? runs.warming(protocol.prefillShare()) : List.of();
    List<Prefilling> prefilling = parts.prefilling ? runs.prefilling(prefillChunks) : List.of();
    Optional<Long> written =
        start.map(io -> ProcessIo.now().orElseThrow().since(io).writtenBytes());
    return new StreamingResults(
        Optional.ofNullable(System.getenv("QUERN_COMMAND")).orElse("quern bench streaming"),
        SourceCommit.describe(),
        Machine.detect(protocol.threads(), 1e9 * MemoryBandwidth.measure(protocol.threads())),
        protocol.pack().getFileName().toString(),
        bitsPerWeight(protocol.pack()),
        runs.allBytes(),
        runs.slotBytes(),
        runs.experts(),
        reading,
        decodings,
        memory,
        warming,
        prefilling,
        written);
  }

  private static double bitsPerWeight(Path pack) throws IOException {
    try (ModelSource source = ModelSource.open(pack)) {
      WeightSizes sizes = WeightSizes.of(source);
      return 8.0 * sizes.expertBytes() / sizes.expertWeights();
    }
  }

  private static Way named(List<Way> ways, String name) {
    return ways.stream().filter(way -> way.name().equals(name)).findFirst().orElseThrow();
  }

  /** What {@code quern plan} says of a way that keeps experts. */
  private static Predicted predicted(Optional<StreamingPlan> plan, Path pack) {
    if (plan.isEmpty()) {
      return (way, share) -> 0;
    }
    StreamingPlan.Variant variant = plan.get().variants().getFirst();
    return (way, share) -> {
      double ahead =
          switch (way.prediction()) {
            case NONE -> 0;
            case NEXT_ROUTER -> StreamingPlan.READ_AHEAD_BY_ROUTERS;
            case SHADOW -> StreamingPlan.READ_AHEAD_BY_SHADOW;
            case BEST -> StreamingPlan.readAhead(pack);
          };
      long capacity = Math.round(share * variant.experts());
      return plan.get().with(way.policy(), ahead).predict(variant, capacity).tokensPerSecond();
    };
  }

  /**
   * Writes {@code streaming.json} and the pictures, and prints the table.
   *
   * @param folder created if it is missing
   */
  public static void write(StreamingResults results, Path folder, PrintWriter out)
      throws IOException {
    StreamingTable.print(results, out);
    Files.createDirectories(folder);
    AtomicFile.writeText(
        folder.resolve("streaming.json"),
        Json.mapper().writerWithDefaultPrettyPrinter().writeValueAsString(results) + "\n");
    if (!results.decoding().isEmpty()) {
      decodingCharts(results, folder);
    }
    if (!results.warming().isEmpty()) {
      LineChart.write(
          folder,
          "warming",
          "Hits as a text goes on",
          "tokens",
          "experts used that were in memory",
          results.warming().stream().map(StreamingBench::line).toList());
    }
    out.println();
    out.println("record and pictures: " + folder);
    out.flush();
  }

  private static LineChart.Line line(Warming warming) {
    double[] tokens = new double[warming.hitRates().size()];
    Arrays.setAll(tokens, i -> (i + 1.0) * warming.windowTokens());
    double[] rates = warming.hitRates().stream().mapToDouble(rate -> rate).toArray();
    return new LineChart.Line(warming.way(), tokens, rates, false);
  }

  private static void decodingCharts(StreamingResults results, Path folder) throws IOException {
    chart(
        results,
        folder,
        "tokens-per-second",
        "Decoding with experts on disk",
        "tokens per second",
        Decoding::tokensPerSecond);
    chart(
        results,
        folder,
        "stall",
        "Waiting for the disk",
        "share of the time spent waiting",
        d -> d.stallMillisPerToken() * d.tokensPerSecond() / 1000);
    chart(
        results,
        folder,
        "reads",
        "Reads per token",
        "experts read per token",
        Decoding::readsPerToken);
  }

  /** Against the memory that experts have, a line for each way that keeps a cache. */
  private static void chart(
      StreamingResults results,
      Path folder,
      String name,
      String title,
      String yTitle,
      ToDoubleFunction<Decoding> value)
      throws IOException {
    Map<String, List<Decoding>> ways = new LinkedHashMap<>();
    for (Decoding decoding : results.decoding()) {
      if (decoding.share() > 0) {
        ways.computeIfAbsent(decoding.way(), way -> new ArrayList<>()).add(decoding);
      }
    }
    List<LineChart.Line> lines = new ArrayList<>();
    ways.forEach((way, points) -> {
      double[] megabytes =
          points.stream()
              .mapToDouble(d -> Math.rint(d.share() * results.expertBytes() / 1e6))
              .toArray();
      double[] values = points.stream().mapToDouble(value).toArray();
      lines.add(new LineChart.Line(way, megabytes, values, false));
    });
    LineChart.write(folder, name, title, "memory for experts, MB", yTitle, lines);
  }
}
