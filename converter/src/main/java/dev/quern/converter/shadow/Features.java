package dev.quern.converter.shadow;

import java.io.Serializable;
import java.util.Arrays;

/**
 * What predictions are computed from: the router's input, then the token's row, each element
 * divided by its root mean square so that all steps of the fit are of one size. The divisors are
 * folded into the weights in the end.
 *
 * @param scale [hiddenSize + tokenWidth], what elements are multiplied by
 */
record Features(TokenTable table, float[] scale) implements Serializable {
  int count() {
    return scale.length;
  }

  /** The features of a row, [count] from at on. */
  void read(LayerRows rows, int row, float[] out, int at) {
    int hidden = rows.hiddenSize();
    rows.input(row, out, at);
    int from = rows.token(row) * table.width();
    for (int i = 0; i < table.width(); i++) {
      out[at + hidden + i] = Float.float16ToFloat(table.halves()[from + i]);
    }
    for (int i = 0; i < scale.length; i++) {
      out[at + i] *= scale[i];
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Features(TokenTable t, float[] s)
        && t.equals(table)
        && Arrays.equals(s, scale);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(scale);
  }

  @Override
  public String toString() {
    return scale.length + " features";
  }
}
