package dev.quern.converter.quantize;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** Sums over a tensor that compare the weights w with what is stored, ŵ. */
final class ErrorSums {
  private static final VectorSpecies<Float> LANES = Moments.LANES;
  private static final int CHUNK = 1024;

  private double weights;
  private double stored;
  private double products;
  private double errors;
  private double largest;

  /** Adds w[from, to) against value[from, to). */
  void add(float[] w, float[] value, int from, int to) {
    for (int chunk = from; chunk < to; chunk += CHUNK) {
      addChunk(w, value, chunk, Math.min(to, chunk + CHUNK));
    }
  }

  private void addChunk(float[] w, float[] value, int from, int to) {
    FloatVector ww = FloatVector.zero(LANES);
    FloatVector vv = ww;
    FloatVector wv = ww;
    FloatVector ee = ww;
    FloatVector max = ww;
    int i = from;
    for (; i + LANES.length() <= to; i += LANES.length()) {
      FloatVector a = FloatVector.fromArray(LANES, w, i);
      FloatVector b = FloatVector.fromArray(LANES, value, i);
      FloatVector e = a.sub(b);
      ww = a.fma(a, ww);
      vv = b.fma(b, vv);
      wv = a.fma(b, wv);
      ee = e.fma(e, ee);
      max = e.abs().max(max);
    }
    weights += Moments.total(ww);
    stored += Moments.total(vv);
    products += Moments.total(wv);
    errors += Moments.total(ee);
    largest = Math.max(largest, max.reduceLanes(VectorOperators.MAX));
    for (; i < to; i++) {
      double e = (double) w[i] - value[i];
      weights += (double) w[i] * w[i];
      stored += (double) value[i] * value[i];
      products += (double) w[i] * value[i];
      errors += e * e;
      largest = Math.max(largest, Math.abs(e));
    }
  }

  ErrorReport report(long count, Moments before, Moments after, long bytes) {
    double norms = Math.sqrt(weights * stored);
    return new ErrorReport(
        count,
        weights > 0 ? errors / weights : 0,
        norms > 0 ? products / norms : 1,
        largest,
        before.excessKurtosis(),
        after.excessKurtosis(),
        bytes);
  }
}
