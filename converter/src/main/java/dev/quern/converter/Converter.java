package dev.quern.converter;

import dev.quern.converter.plan.Chunk;
import dev.quern.converter.plan.ConversionPlan;
import dev.quern.converter.plan.OutputFile;
import dev.quern.converter.plan.PlannedTensor;
import dev.quern.converter.plan.Planner;
import dev.quern.converter.plan.Precision;
import dev.quern.converter.plan.Storage;
import dev.quern.converter.quantize.ErrorReport;
import dev.quern.converter.spark.QuantizeJob;
import dev.quern.converter.spark.SparkSessions;
import dev.quern.converter.spark.StatisticsTable;
import dev.quern.converter.work.ConversionRecord;
import dev.quern.converter.work.OutputDirectory;
import dev.quern.converter.work.ProgressListener;
import dev.quern.converter.work.Receipt;
import dev.quern.converter.work.SideFiles;
import dev.quern.converter.work.TensorStatistics;
import dev.quern.format.DType;
import dev.quern.format.Fingerprint;
import dev.quern.format.FormatException;
import dev.quern.format.PackManifest;
import dev.quern.format.PackManifest.FileEntry;
import dev.quern.model.ConfigJson;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Converts a model to a pack: plans, quantizes on Spark, writes the manifest last. Killed at any
 * moment, it leaves an unfinished pack that the next call continues; the bytes in the end depend on
 * model and precision only.
 */
public final class Converter {
  private final ConvertOptions options;
  private final ConversionPlan plan;
  private final ConversionRecord record;
  private final SideFiles sideFiles;

  private Converter(
      ConvertOptions options, ConversionPlan plan, ConversionRecord record, SideFiles sideFiles) {
    this.options = options;
    this.plan = plan;
    this.record = record;
    this.sideFiles = sideFiles;
  }

  /**
   * @throws FormatException if the model is wrong, the pack may not be written where it should, or
   *     it does not fit the disk or the memory
   */
  public static ConvertResult convert(ConvertOptions options, ProgressListener listener)
      throws IOException {
    return prepare(options).convert(listener);
  }

  /** Reads the headers of the model and plans; writes nothing. */
  public static Converter prepare(ConvertOptions options) throws IOException {
    SparkSessions.checkMaster(options.master());
    ConversionPlan plan = Planner.plan(options.model(), options.precision(), options.chunkBytes());
    checkQuantizes(plan, options);
    ConversionRecord record =
        new ConversionRecord(
            options.model().toRealPath().getFileName().toString(),
            Fingerprint.of(options.model()),
            options.precision().options());
    return new Converter(options, plan, record, SideFiles.of(options.model()));
  }

  /** A dense model has no experts, so {@code --bits} alone would leave it as it is. */
  private static void checkQuantizes(ConversionPlan plan, ConvertOptions options)
      throws FormatException {
    int bits = options.precision().bits();
    if (bits < Precision.SOURCE_BITS && plan.tensors().noneMatch(PlannedTensor::quantized)) {
      throw new FormatException(
          "%s: %s has no experts, so --bits %d quantizes nothing. Add --shared-expert-bits %d for its MLPs, --attention-bits %d for attention"
              .formatted(options.model(), plan.config().modelType(), bits, bits, bits));
    }
    if (options.precision().standInBits() > 0 && plan.standIns().isEmpty()) {
      throw new FormatException(
          "%s: %s has no experts that --stand-in-bits could copy. Leave it out"
              .formatted(options.model(), plan.config().modelType()));
    }
  }

  public ConversionPlan plan() {
    return plan;
  }

  /** What the conversion needs of this machine. */
  public Resources resources() {
    return Resources.of(plan, options.master());
  }

  /** What {@link #convert} would find in the folder of the pack. */
  public OutputDirectory.State examine() throws IOException {
    return OutputDirectory.examine(options.out(), record, options.resume(), options.force());
  }

  /**
   * @throws FormatException if it does not fit, with the numbers
   */
  public void checkResources() throws IOException {
    resources().check(options.out());
  }

  private ConvertResult convert(ProgressListener listener) throws IOException {
    if (examine() != OutputDirectory.State.COMPLETE) {
      checkResources();
    }
    try (OutputDirectory output =
        OutputDirectory.open(options.out(), record, options.resume(), options.force())) {
      return switch (output.state()) {
        case COMPLETE -> result(ConvertResult.Outcome.WAS_COMPLETE, 0, List.of());
        case FRESH -> run(output, listener, ConvertResult.Outcome.CONVERTED);
        case RESUMABLE -> run(output, listener, ConvertResult.Outcome.RESUMED);
      };
    }
  }

  private ConvertResult run(
      OutputDirectory output, ProgressListener listener, ConvertResult.Outcome outcome)
      throws IOException {
    long start = System.nanoTime();
    try (SparkSessions.Lease spark =
        SparkSessions.lease(options.master(), output.work().resolve("spark"))) {
      List<Receipt> receipts =
          new QuantizeJob(spark.session(), options.out(), output.work(), listener).run(plan);
      List<TensorStatistics> statistics = statistics(receipts);
      StatisticsTable.write(
          spark.session(),
          statistics,
          output.work().resolve("stats"),
          options.out().resolve(OutputDirectory.STATISTICS));
      long elapsed = System.nanoTime() - start;
      output.writeRecord();
      output.finish(manifest(receipts, output.write(sideFiles)));
      return result(outcome, elapsed, statistics);
    } catch (FormatException e) {
      output.abandon(); // The model is wrong: nothing made from it is worth keeping.
      throw e;
    }
  }

  private ConvertResult result(
      ConvertResult.Outcome outcome, long elapsedNanos, List<TensorStatistics> statistics)
      throws IOException {
    PackManifest manifest = PackManifest.read(options.out());
    long bytes =
        Files.size(options.out().resolve(PackManifest.NAME))
            + manifest.files().values().stream().mapToLong(FileEntry::bytes).sum();
    return new ConvertResult(options.out(), outcome, plan, bytes, elapsedNanos, statistics);
  }

  private PackManifest manifest(List<Receipt> receipts, List<String> sideNames) throws IOException {
    SortedMap<String, FileEntry> files = new TreeMap<>();
    List<OutputFile> outputs = plan.files();
    for (int i = 0; i < outputs.size(); i++) {
      String path = outputs.get(i).path();
      FileEntry entry =
          switch (outputs.get(i)) {
            case OutputFile.Layer layer ->
                new FileEntry(receipts.get(i).bytes(), receipts.get(i).crc32c(), new TreeMap<>());
            case OutputFile.DenseTensors dense -> FileEntry.of(options.out().resolve(path));
          };
      files.put(path, entry);
    }
    List<String> others = new ArrayList<>(sideNames);
    others.add(OutputDirectory.STATISTICS);
    others.add(ConversionRecord.NAME);
    for (String path : others) {
      files.put(path, FileEntry.of(options.out().resolve(path)));
    }
    return new PackManifest(
        PackManifest.FORMAT_VERSION,
        "quern " + version(),
        new PackManifest.Source(record.source(), record.fingerprint()),
        ConfigJson.write(plan.config()),
        plan.precision().seed(),
        plan.precision().summary(),
        plan.quantizedTensors(),
        files);
  }

  private static String version() {
    String version = Converter.class.getPackage().getImplementationVersion();
    return version == null ? "(development)" : version;
  }

  /**
   * Of the model's tensors, not of stand-ins, whose files come last. Receipts list the quantized
   * tensors of a file in order; the others were copied.
   */
  private List<TensorStatistics> statistics(List<Receipt> receipts) {
    List<TensorStatistics> statistics = new ArrayList<>();
    List<OutputFile> outputs = plan.files();
    for (int i = 0; i < outputs.size() - plan.standIns().size(); i++) {
      Iterator<ErrorReport> reports = receipts.get(i).reports().iterator();
      for (Chunk chunk : outputs.get(i).chunks()) {
        chunk.tensors().forEach(tensor -> statistics.add(statistics(tensor, reports)));
      }
    }
    plan.dense()
        .copied()
        .forEach(t -> statistics.add(statistics(t, List.<ErrorReport>of().iterator())));
    return statistics;
  }

  private static TensorStatistics statistics(PlannedTensor tensor, Iterator<ErrorReport> reports) {
    return switch (tensor.storage()) {
      case Storage.Numbers(DType dtype) ->
          statistics(
              tensor,
              TensorStatistics.NOT_QUANTIZED,
              dtype.bits(),
              new ErrorReport(
                  tensor.source().elements(),
                  0,
                  1,
                  0,
                  Double.NaN,
                  Double.NaN,
                  tensor.storedBytes()));
      case Storage.Quantized quantized ->
          statistics(
              tensor,
              quantized.scheme().method().name().toLowerCase(Locale.ROOT),
              quantized.scheme().bits(),
              reports.next());
    };
  }

  private static TensorStatistics statistics(
      PlannedTensor tensor, String method, int bits, ErrorReport report) {
    return new TensorStatistics(
        tensor.name(),
        tensor.role().label(),
        tensor.layer(),
        tensor.expert(),
        tensor.source().rows(),
        tensor.source().cols(),
        method,
        bits,
        report);
  }
}
