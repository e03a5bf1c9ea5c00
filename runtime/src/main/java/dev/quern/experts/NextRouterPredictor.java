package dev.quern.experts;

import dev.quern.kernels.Kernels;
import java.util.List;
import java.util.Optional;

/**
 * Applies the coming layer's own router to what the present one reads: the residual stream changes
 * little from layer to layer. Needs no training. Source of the idea: FATE, arXiv 2502.12224.
 */
public final class NextRouterPredictor implements ExpertPredictor {

  /** What is done about the two layers' norms, which multiply the input by different factors. */
  public enum Norm {
    /** The coming router reads the present router's input. */
    KEPT,
    /** The present norm's factors are divided out, the coming one's multiplied in. */
    EXCHANGED
  }

  /** Below this a factor of a norm has hidden its element, and the quotient would be noise. */
  private static final float MIN_FACTOR = 1e-3f;

  private final List<Optional<LayerRouter>> routers;
  private final int topK;
  private final int maxDistance;
  private final Norm norm;
  private final Kernels kernels = Kernels.best();
  private final float[] scaled;

  /**
   * @param routers of all layers; empty for layers without experts
   * @param topK experts that a token uses
   */
  public NextRouterPredictor(
      List<Optional<LayerRouter>> routers, int topK, int maxDistance, Norm norm) {
    this.routers = List.copyOf(routers);
    this.topK = topK;
    this.maxDistance = maxDistance;
    this.norm = norm;
    int hidden = routers.stream().flatMap(Optional::stream).findFirst().orElseThrow().hiddenSize();
    scaled = new float[hidden];
  }

  @Override
  public int maxDistance() {
    return maxDistance;
  }

  @Override
  public boolean predictsNextToken() {
    return false;
  }

  @Override
  public boolean predict(
      int layer, int distance, float[] input, int tokenId, float[] probabilities) {
    int target = layer + distance;
    if (distance < 1
        || distance > maxDistance
        || target >= routers.size()
        || routers.get(layer).isEmpty()
        || routers.get(target).isEmpty()) {
      return false;
    }
    LayerRouter router = routers.get(target).get();
    float[] read =
        switch (norm) {
          case KEPT -> input;
          case EXCHANGED -> exchange(routers.get(layer).get().norm(), router.norm(), input);
        };
    router.logits(kernels, read, probabilities);
    LayerRouter.spread(kernels, probabilities, topK);
    return true;
  }

  private float[] exchange(float[] from, float[] to, float[] input) {
    for (int i = 0; i < scaled.length; i++) {
      scaled[i] = Math.abs(from[i]) < MIN_FACTOR ? 0 : input[i] / from[i] * to[i];
    }
    return scaled;
  }

  @Override
  public boolean predictNextToken(int layer, float[] input, int tokenId, float[] probabilities) {
    return false;
  }

  @Override
  public ExpertPredictor copy() {
    return new NextRouterPredictor(routers, topK, maxDistance, norm);
  }
}
