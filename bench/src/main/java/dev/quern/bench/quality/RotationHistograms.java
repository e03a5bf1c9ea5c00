package dev.quern.bench.quality;

import dev.quern.bench.report.WeightHistogram;
import dev.quern.converter.work.TensorStatistics;
import dev.quern.format.FloatConversion;
import dev.quern.format.TensorInfo;
import dev.quern.model.ModelSource;
import dev.quern.model.TensorRole;
import dev.quern.quant.Rotation;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Shows what the rotation does to the tensor it changes most. */
final class RotationHistograms {
  private RotationHistograms() {}

  /**
   * The quantized expert matrix whose excess kurtosis the rotation lowers most, before and after
   * it; empty if no matrix of a folder qualifies. (A rotation mixes columns: heavy tails that come
   * from a few large rows stay, and are the business of scales.)
   */
  static List<WeightHistogram> of(
      ModelSource source, List<TensorStatistics> statistics, long rotationSeed) {
    Optional<TensorStatistics> changed =
        statistics.stream()
            .filter(tensor -> tensor.quantized() && tensor.expert() >= 0)
            .filter(tensor -> !Double.isNaN(tensor.report().kurtosisBefore()))
            .filter(tensor -> source.tensors().containsKey(tensor.name()))
            .max(
                Comparator.comparingDouble(
                    tensor -> tensor.report().kurtosisBefore() - tensor.report().kurtosisAfter()));
    return changed.map(tensor -> histograms(source, tensor, rotationSeed)).orElse(List.of());
  }

  private static List<WeightHistogram> histograms(
      ModelSource source, TensorStatistics tensor, long seed) {
    TensorInfo info = source.tensors().get(tensor.name());
    float[] weights = new float[Math.multiplyExact(tensor.rows(), tensor.cols())];
    FloatConversion.toFloat(info.dtype(), source.files().map(info), 0, weights, 0, weights.length);
    WeightHistogram before = WeightHistogram.of("before rotation", tensor.name(), weights);
    Rotation.Input input =
        TensorRole.ofLabel(tensor.role()).flatMap(TensorRole::input).orElseThrow();
    Rotation rotation = Rotation.hadamard(seed, tensor.layer(), input, tensor.cols());
    for (int row = 0; row < tensor.rows(); row++) {
      rotation.apply(weights, row * tensor.cols());
    }
    return List.of(before, WeightHistogram.of("after rotation", tensor.name(), weights));
  }
}
