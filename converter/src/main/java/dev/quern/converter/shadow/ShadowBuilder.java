package dev.quern.converter.shadow;

import dev.quern.format.DType;
import dev.quern.format.FloatConversion;
import dev.quern.format.SafetensorsWriter;
import dev.quern.format.ShadowFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** Makes what is stored of what was learned. */
final class ShadowBuilder {
  private static final float MAX_HALF = 65504;

  private ShadowBuilder() {}

  /**
   * A predictor of all layers.
   *
   * @param refined which heads are two-layer; the others are linear
   */
  static ShadowFile build(
      TraceSource.Sizes sizes,
      TokenTable table,
      List<FittedLayer> layers,
      Predicate<FittedLayer.Head> refined) {
    List<ShadowFile.Head> heads = new ArrayList<>();
    Map<String, float[]> values = new HashMap<>();
    int width = 0;
    for (FittedLayer layer : layers) {
      for (FittedLayer.Head head : layer.heads()) {
        boolean twoLayer = refined.test(head);
        ShadowFile.Kind kind = twoLayer ? ShadowFile.Kind.TWO_LAYER : ShadowFile.Kind.LINEAR;
        ShadowFile.Head stored = new ShadowFile.Head(layer.layer(), head.distance(), kind);
        heads.add(stored);
        if (twoLayer) {
          width = layer.hiddenBias().length;
          values.put(ShadowFile.headName(stored, "weight"), head.refined());
          values.put(ShadowFile.headName(stored, "bias"), head.refinedBias());
          String input = ShadowFile.hiddenName(layer.layer(), "input");
          String token = ShadowFile.hiddenName(layer.layer(), "token");
          values.put(input, columns(layer.hidden(), 0, sizes.hiddenSize(), table));
          values.put(token, columns(layer.hidden(), sizes.hiddenSize(), table.width(), table));
          values.put(ShadowFile.hiddenName(layer.layer(), "bias"), layer.hiddenBias());
        } else {
          String input = ShadowFile.headName(stored, "input");
          String token = ShadowFile.headName(stored, "token");
          values.put(input, columns(head.linear(), 0, sizes.hiddenSize(), table));
          values.put(token, columns(head.linear(), sizes.hiddenSize(), table.width(), table));
          values.put(ShadowFile.headName(stored, "bias"), head.linearBias());
        }
      }
    }
    ShadowFile.Header header =
        new ShadowFile.Header(
            sizes.numLayers(),
            sizes.hiddenSize(),
            sizes.numExperts(),
            sizes.topK(),
            sizes.vocabSize(),
            table.width(),
            width,
            heads);
    Map<String, MemorySegment> tensors = new HashMap<>();
    for (SafetensorsWriter.Declared tensor : header.declared()) {
      MemorySegment data = Arena.ofAuto().allocate(tensor.bytes(), 64);
      if (tensor.name().equals(ShadowFile.TOKENS)) {
        MemorySegment.copy(
            table.halves(), 0, data, ValueLayout.JAVA_SHORT, 0, table.halves().length);
      } else {
        float[] x = values.get(tensor.name());
        if (tensor.dtype() == DType.F16) {
          for (int i = 0; i < x.length; i++) {
            x[i] = Math.clamp(x[i], -MAX_HALF, MAX_HALF);
          }
        }
        FloatConversion.fromFloat(tensor.dtype(), x, 0, data, 0, x.length);
      }
      tensors.put(tensor.name(), data);
    }
    return new ShadowFile(header, tensors);
  }

  /** Columns [first, first + count) of rows of [hiddenSize + token width]. */
  private static float[] columns(float[] rows, int first, int count, TokenTable table) {
    int stride = first == 0 ? count + table.width() : first + count;
    int n = rows.length / stride;
    float[] cut = new float[n * count];
    for (int r = 0; r < n; r++) {
      System.arraycopy(rows, r * stride + first, cut, r * count, count);
    }
    return cut;
  }
}
