package dev.quern.converter.shadow;

import dev.quern.experts.ShadowPredictor;
import dev.quern.format.ShadowFile;
import dev.quern.format.ShadowFile.Head;
import dev.quern.format.ShadowFile.Header;
import dev.quern.format.ShadowFile.Kind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * How long predictions take on one core.
 *
 * @param hiddenSize of the model
 * @param width hidden units
 * @param bytes of the whole predictor
 * @param firstMicros one prediction of a layer, hidden units and one head; median
 * @param furtherMicros another distance for the same input; median
 */
public record Latency(
    int hiddenSize,
    int numExperts,
    int layers,
    int width,
    long bytes,
    double firstMicros,
    double furtherMicros) {
  private static final int DISTANCES = 4;
  private static final int WARM_UP = 300;
  private static final int SAMPLES = 1000;

  /** Layers whose weights are really there; with more of them none stays in a core's cache. */
  private static final int PRESENT_LAYERS = 12;

  /**
   * Times a predictor of random weights of a shape.
   *
   * @param vocabSize counts for the bytes only
   */
  public static Latency measure(
      int hiddenSize, int numExperts, int layers, int vocabSize, FitOptions options) {
    int tokenWidth = Math.min(TokenTable.MAX_WIDTH, hiddenSize);
    int width = options.width(hiddenSize, tokenWidth);
    Header whole = header(hiddenSize, numExperts, layers, vocabSize, tokenWidth, width);
    int present = Math.min(layers, PRESENT_LAYERS);
    Header timed = header(hiddenSize, numExperts, present, 1, tokenWidth, width);
    ShadowPredictor predictor = ShadowPredictor.of(random(timed));
    SplittableRandom random = new SplittableRandom(1);
    float[] input = new float[hiddenSize];
    float[] out = new float[numExperts];
    double[] first = new double[SAMPLES];
    double[] further = new double[SAMPLES];
    int lastFrom = Math.max(1, present - 2); // layers with two distances at least, if there are any
    for (int i = -WARM_UP; i < SAMPLES; i++) {
      for (int j = 0; j < hiddenSize; j++) {
        input[j] = (float) random.nextDouble(-1, 1);
      }
      int layer = Math.floorMod(i, lastFrom);
      long start = System.nanoTime();
      predictor.predict(layer, 1, input, 0, out);
      long middle = System.nanoTime();
      predictor.predict(layer, 2, input, 0, out);
      long end = System.nanoTime();
      if (i >= 0) {
        first[i] = (middle - start) / 1e3;
        further[i] = (end - middle) / 1e3;
      }
    }
    Arrays.sort(first);
    Arrays.sort(further);
    return new Latency(
        hiddenSize,
        numExperts,
        layers,
        width,
        whole.bytes(),
        first[SAMPLES / 2],
        further[SAMPLES / 2]);
  }

  private static Header header(
      int hiddenSize, int numExperts, int layers, int vocabSize, int tokenWidth, int width) {
    List<Head> heads = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      for (int d = 0; d <= Math.min(DISTANCES, layers - 1 - layer); d++) {
        heads.add(new Head(layer, d, Kind.TWO_LAYER));
      }
    }
    return new Header(layers, hiddenSize, numExperts, 1, vocabSize, tokenWidth, width, heads);
  }

  private static ShadowFile random(Header header) {
    SplittableRandom random = new SplittableRandom(2);
    Map<String, MemorySegment> tensors = new HashMap<>();
    header
        .declared()
        .forEach(tensor -> {
          MemorySegment data = Arena.ofAuto().allocate(tensor.bytes(), 64);
          if (tensor.dtype().bytes(1) == Short.BYTES) {
            for (long i = 0; i < data.byteSize() / Short.BYTES; i++) {
              short half = Float.floatToFloat16((float) random.nextDouble(-0.02, 0.02));
              data.setAtIndex(ValueLayout.JAVA_SHORT, i, half);
            }
          }
          tensors.put(tensor.name(), data);
        });
    return new ShadowFile(header, tensors);
  }
}
