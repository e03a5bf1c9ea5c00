package dev.quern.converter.shadow;

import dev.quern.converter.traces.Split;
import java.io.IOException;
import java.io.Serializable;
import java.util.List;

/** Where recorded routing comes from; travels to tasks. */
public interface TraceSource extends Serializable {

  /**
   * Sizes of the model whose routing was recorded.
   *
   * @param layers those with experts, ascending
   */
  record Sizes(
      int numLayers, List<Integer> layers, int hiddenSize, int numExperts, int topK, int vocabSize)
      implements Serializable {
    public Sizes {
      layers = List.copyOf(layers);
    }

    /** Layers after this one that all have experts, at most so many. */
    int distances(int layer, int most) {
      int distance = 0;
      while (distance < most && layers.contains(layer + distance + 1)) {
        distance++;
      }
      return distance;
    }
  }

  Sizes sizes();

  /** Pieces that can be read in parallel; 0 if a split is empty. */
  int parts(Split split);

  /** Tokens of a split. */
  long tokens(Split split);

  /**
   * Reads parts of a split, in order.
   *
   * @param distances coming layers whose experts are read, too
   * @param firstPart of those read
   * @param endPart after the last of those read
   * @param inputs whether the router's inputs are read, which are most of the bytes
   */
  LayerRows rows(Split split, int layer, int distances, int firstPart, int endPart, boolean inputs)
      throws IOException;
}
