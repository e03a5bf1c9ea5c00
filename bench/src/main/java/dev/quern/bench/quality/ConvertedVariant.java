package dev.quern.bench.quality;

import dev.quern.bench.report.VariantResult.TensorError;
import dev.quern.converter.ConvertOptions;
import dev.quern.converter.ConvertResult;
import dev.quern.converter.Converter;
import dev.quern.converter.plan.ConversionPlan;
import dev.quern.converter.plan.PlannedTensor;
import dev.quern.converter.plan.Precision;
import dev.quern.converter.spark.StatisticsTable;
import dev.quern.converter.work.OutputDirectory;
import dev.quern.converter.work.ProgressListener;
import dev.quern.converter.work.TensorStatistics;
import dev.quern.format.FormatException;
import dev.quern.model.TensorRole;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * One quantized variant on disk.
 *
 * @param statistics one per stored matrix
 */
record ConvertedVariant(
    VariantMethod method,
    int bits,
    Path pack,
    long packBytes,
    ConversionPlan plan,
    List<TensorStatistics> statistics) {

  /** Converts, or finds the pack that an earlier evaluation left. */
  static ConvertedVariant make(
      EvaluationOptions options, VariantMethod method, int bits, String master, Path scratch)
      throws IOException {
    Precision precision = method.precision(bits, options.common());
    Path pack = pack(options, method.label(), bits);
    ConvertOptions convert =
        new ConvertOptions(
            options.model(),
            pack,
            precision,
            master,
            true,
            false,
            ConversionPlan.DEFAULT_CHUNK_BYTES);
    ConvertResult result;
    if (options.replacePacks() && madeOtherwise(convert)) {
      result = Converter.convert(forced(convert), ProgressListener.SILENT);
    } else {
      result = Converter.convert(convert, ProgressListener.SILENT);
    }
    List<TensorStatistics> statistics = result.statistics();
    if (result.outcome() == ConvertResult.Outcome.WAS_COMPLETE) {
      statistics = StatisticsTable.read(master, scratch, pack.resolve(OutputDirectory.STATISTICS));
    }
    return new ConvertedVariant(method, bits, pack, result.packBytes(), result.plan(), statistics);
  }

  /** Where a variant is kept; those with stand-ins beside those without. */
  static Path pack(EvaluationOptions options, String method, int bits) {
    int standIns = options.common().standInBits();
    String besides = standIns > 0 ? "-stand-in-" + standIns : "";
    return options.packs().resolve(method + "-" + bits + besides);
  }

  private static boolean madeOtherwise(ConvertOptions convert) throws IOException {
    Converter prepared = Converter.prepare(convert);
    try {
      prepared.examine();
      return false;
    } catch (FormatException e) {
      return true; // the model itself was read above: what is wrong is the pack
    }
  }

  private static ConvertOptions forced(ConvertOptions convert) {
    return new ConvertOptions(
        convert.model(),
        convert.out(),
        convert.precision(),
        convert.master(),
        convert.resume(),
        true,
        convert.chunkBytes());
  }

  long quantizedWeights() {
    return plan.tensors()
        .filter(PlannedTensor::quantized)
        .mapToLong(tensor -> tensor.source().elements())
        .sum();
  }

  /** Bits of the quantized tensors in the source, per weight. */
  double sourceBitsPerWeight() {
    long bytes =
        plan.tensors()
            .filter(PlannedTensor::quantized)
            .mapToLong(tensor -> tensor.source().bytes())
            .sum();
    return (double) bytes * Byte.SIZE / quantizedWeights();
  }

  private Stream<PlannedTensor> expertTensors() {
    return plan.layers().stream()
        .flatMap(layer -> layer.chunks().stream())
        .flatMap(chunk -> chunk.tensors().stream());
  }

  /** Bytes of the experts in the source. */
  long sourceExpertBytes() {
    return expertTensors().mapToLong(tensor -> tensor.source().bytes()).sum();
  }

  /**
   * Everything stored for the quantized tensors: their bytes, and what of the expert files is no
   * tensor (headers, codebooks, padding), shared out by weights.
   */
  double bitsPerWeight() {
    double bytes =
        plan.tensors().filter(PlannedTensor::quantized).mapToLong(PlannedTensor::storedBytes).sum();
    if (plan.expertParameters() > 0) {
      long besides =
          plan.expertBytes() - expertTensors().mapToLong(PlannedTensor::storedBytes).sum();
      long quantized =
          expertTensors()
              .filter(PlannedTensor::quantized)
              .mapToLong(tensor -> tensor.source().elements())
              .sum();
      bytes += (double) besides * quantized / plan.expertParameters();
    }
    return bytes * Byte.SIZE / quantizedWeights();
  }

  double relativeMse() {
    return mean(statistics);
  }

  /** Quantized projections by role and layer; those outside layers are left out. */
  List<TensorError> tensorErrors() {
    Map<TensorRole, SortedMap<Integer, List<TensorStatistics>>> groups =
        new EnumMap<>(TensorRole.class);
    for (TensorStatistics tensor : statistics) {
      if (tensor.quantized() && tensor.layer() >= 0) {
        groups
            .computeIfAbsent(TensorRole.ofLabel(tensor.role()).orElseThrow(), _ -> new TreeMap<>())
            .computeIfAbsent(tensor.layer(), _ -> new ArrayList<>())
            .add(tensor);
      }
    }
    List<TensorError> errors = new ArrayList<>();
    groups.forEach((role, layers) ->
        layers.forEach((layer, tensors) ->
            errors.add(new TensorError(layer, shortName(role.label()), mean(tensors)))));
    return errors;
  }

  private static String shortName(String role) {
    return role.startsWith("experts.") ? role.substring("experts.".length()) : role;
  }

  private static double mean(List<TensorStatistics> tensors) {
    double sum = 0;
    long weights = 0;
    for (TensorStatistics tensor : tensors) {
      if (tensor.quantized()) {
        sum += tensor.report().relativeMse() * tensor.report().weights();
        weights += tensor.report().weights();
      }
    }
    return sum / weights;
  }
}
