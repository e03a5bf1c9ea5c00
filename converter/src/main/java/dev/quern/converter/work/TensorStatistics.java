package dev.quern.converter.work;

import dev.quern.converter.quantize.ErrorReport;
import java.io.Serializable;

/**
 * One row of {@code stats/tensors.parquet}: a stored matrix and what quantization did to it.
 *
 * @param role component as on the command line, such as {@code experts.down}
 * @param layer −1 outside layers
 * @param expert −1 for what is no routed expert
 * @param method of quantization in lower case, or {@code none}
 * @param bits per index, or bits of the source's type
 * @param report errors of 0, a cosine of 1 and NaN for kurtosis where nothing was quantized
 */
public record TensorStatistics(
    String name,
    String role,
    int layer,
    int expert,
    int rows,
    int cols,
    String method,
    int bits,
    ErrorReport report)
    implements Serializable {

  /** The method of tensors that keep the source's type. */
  public static final String NOT_QUANTIZED = "none";

  public boolean quantized() {
    return !method.equals(NOT_QUANTIZED);
  }
}
