package dev.quern.converter.shadow;

import java.io.Serializable;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.CholeskyDecomposition;
import org.apache.commons.math3.linear.RealMatrix;

/**
 * Ridge regression of all heads of a layer from its normal equations: W = (XᵀX/N + λI)⁻¹ XᵀY/N on
 * features scaled to a mean square of 1; the constant is not held back.
 *
 * @param scale [features], what the features are multiplied by
 * @param weights [outputs, features], for scaled features
 * @param constant [outputs]
 * @param mean [outputs], of the targets
 */
record Ridge(float[] scale, float[] weights, float[] constant, float[] mean)
    implements Serializable {
  static final double LAMBDA = 1e-4;

  static Ridge solve(NormalSums sums, double lambda) {
    int features = sums.features();
    int outputs = sums.outputs();
    double[] scale = new double[features + 1];
    for (int i = 0; i < features; i++) {
      scale[i] = 1 / Math.sqrt(sums.gram(i, i) + 1e-6);
    }
    scale[features] = 1;
    double[][] gram = new double[features + 1][features + 1];
    double[][] cross = new double[features + 1][outputs];
    for (int i = 0; i <= features; i++) {
      for (int j = 0; j <= features; j++) {
        // The two halves differ in the last bit of float32 sums; the solver wants them equal.
        gram[i][j] = scale[i] * scale[j] * (sums.gram(i, j) + sums.gram(j, i)) / 2;
      }
      gram[i][i] += i < features ? lambda : 1e-9;
      for (int o = 0; o < outputs; o++) {
        cross[i][o] = scale[i] * sums.cross(i, o);
      }
    }
    CholeskyDecomposition factors =
        new CholeskyDecomposition(new Array2DRowRealMatrix(gram, false), 1e-9, 1e-12);
    RealMatrix solution = factors.getSolver().solve(new Array2DRowRealMatrix(cross, false));
    float[] weights = new float[Math.multiplyExact(outputs, features)];
    float[] constant = new float[outputs];
    float[] mean = new float[outputs];
    for (int o = 0; o < outputs; o++) {
      for (int i = 0; i < features; i++) {
        weights[o * features + i] = (float) solution.getEntry(i, o);
      }
      constant[o] = (float) solution.getEntry(features, o);
      mean[o] = (float) sums.cross(features, o);
    }
    float[] floats = new float[features];
    for (int i = 0; i < features; i++) {
      floats[i] = (float) scale[i];
    }
    return new Ridge(floats, weights, constant, mean);
  }

  int features() {
    return scale.length;
  }

  int outputs() {
    return constant.length;
  }
}
