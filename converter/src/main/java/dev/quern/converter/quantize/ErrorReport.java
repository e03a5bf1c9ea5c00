package dev.quern.converter.quantize;

import java.io.Serializable;

/**
 * What quantization did to one tensor. Errors compare the stored weight with the original, in
 * rotated coordinates (the rotation is orthonormal, so squared errors and cosines are those of the
 * plain weights).
 *
 * @param relativeMse Σ(w − ŵ)² / Σw²
 * @param cosine Σwŵ / (‖w‖ ‖ŵ‖)
 * @param maxError largest |w − ŵ|
 * @param kurtosisBefore excess kurtosis of the weights as they were (normal: 0)
 * @param kurtosisAfter excess kurtosis after rotation; equal to before where nothing is rotated
 * @param bytes everything stored for this tensor
 */
public record ErrorReport(
    long weights,
    double relativeMse,
    double cosine,
    double maxError,
    double kurtosisBefore,
    double kurtosisAfter,
    long bytes)
    implements Serializable {

  public double bitsPerWeight() {
    return (double) bytes * Byte.SIZE / weights;
  }
}
