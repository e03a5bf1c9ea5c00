package dev.quern.converter;

import dev.quern.converter.plan.ConversionPlan;
import dev.quern.converter.work.TensorStatistics;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a conversion made.
 *
 * @param outcome whether anything had to be done
 * @param packBytes everything in the pack, manifest and tokenizer included
 * @param elapsedNanos of quantizing and writing; 0 if the pack was complete
 * @param statistics one per tensor; empty if the pack was complete
 */
public record ConvertResult(
    Path pack,
    Outcome outcome,
    ConversionPlan plan,
    long packBytes,
    long elapsedNanos,
    List<TensorStatistics> statistics) {

  /** How a pack came to be finished. */
  public enum Outcome {
    CONVERTED,
    RESUMED,
    WAS_COMPLETE
  }

  public ConvertResult {
    statistics = List.copyOf(statistics);
  }

  /** Mean over the weights of all quantized tensors; NaN if there are none. */
  public double meanRelativeMse() {
    return mean(statistics);
  }

  /** The same per role, such as {@code experts.down}. */
  public Map<String, Double> relativeMseByRole() {
    Map<String, Double> means = new TreeMap<>();
    for (TensorStatistics tensor : statistics) {
      if (tensor.quantized()) {
        means.computeIfAbsent(
            tensor.role(),
            role -> mean(statistics.stream().filter(t -> t.role().equals(role)).toList()));
      }
    }
    return means;
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
    return weights == 0 ? Double.NaN : sum / weights;
  }
}
