package dev.quern.model;

import static dev.quern.model.Checks.check;
import static dev.quern.model.Checks.positive;

import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What one model is: everything the forward pass needs to know beside the weights, whichever file
 * said it. See {@link HuggingFaceConfig}, {@link GgufConfig} and {@link ConfigJson}.
 *
 * @param modelType the family, as {@link Architecture#modelType} names it
 * @param maxPositions longest context the model was made for
 * @param tieWordEmbeddings whether the embedding is also the head
 * @param layers at least one
 */
public record ModelConfig(
    String modelType,
    int hiddenSize,
    int vocabSize,
    int maxPositions,
    float rmsNormEpsilon,
    boolean tieWordEmbeddings,
    Activation activation,
    List<Layer> layers) {

  /** One decoder layer. */
  public record Layer(TokenMixer mixer, FeedForward feedForward) {}

  public ModelConfig {
    layers = List.copyOf(layers);
    positive("hidden_size", hiddenSize);
    positive("num_hidden_layers", layers.size());
    positive("vocab_size", vocabSize);
    positive("max_position_embeddings", maxPositions);
    check(
        rmsNormEpsilon >= 0 && rmsNormEpsilon < 1, "rms_norm_eps %s is not small", rmsNormEpsilon);
    check(
        expertKinds(layers).distinct().count() <= 1,
        "layers have experts of different kinds: %s",
        expertKinds(layers).distinct().toList());
  }

  private static Stream<FeedForward.Experts> expertKinds(List<Layer> layers) {
    return layers.stream()
        .map(Layer::feedForward)
        .filter(FeedForward.Experts.class::isInstance)
        .map(FeedForward.Experts.class::cast);
  }

  public int numLayers() {
    return layers.size();
  }

  /** The experts of every layer that has any; empty for a dense model. */
  public Optional<FeedForward.Experts> experts() {
    return expertKinds(layers).findFirst();
  }

  /** Experts of a layer that has any; 0 for a dense model. */
  public int numExperts() {
    return experts().map(FeedForward.Experts::numExperts).orElse(0);
  }

  /** Experts per token; 0 for a dense model. */
  public int topK() {
    return experts().map(FeedForward.Experts::topK).orElse(0);
  }

  /** Whether a layer's MLP is a mixture of experts. */
  public boolean hasExperts(int layer) {
    return layers.get(layer).feedForward() instanceof FeedForward.Experts;
  }

  /** Whether some layer keeps a state that cannot be cut back to an earlier position. */
  public boolean hasRecurrentLayers() {
    return layers.stream().anyMatch(layer -> layer.mixer() instanceof TokenMixer.DeltaNet);
  }

  /** The shape of a tensor, matrices as [out, in]. */
  public List<Long> shape(TensorKey key) {
    return TensorShapes.of(this, key);
  }

  /**
   * Every tensor the model needs, in the order of the forward pass. Lazy: the sizes a file claims
   * cost nothing before its tensors are found to be there.
   */
  public Stream<TensorKey> tensorKeys() {
    return tensorKeys(Integer.MAX_VALUE);
  }

  private Stream<TensorKey> tensorKeys(int maxExperts) {
    Stream<TensorKey> middle =
        IntStream.range(0, numLayers()).boxed().flatMap(layer -> layerKeys(layer, maxExperts));
    Stream<TensorKey> tail = Stream.of(TensorKey.of(TensorRole.FINAL_NORM));
    if (!tieWordEmbeddings) {
      tail = Stream.concat(tail, Stream.of(TensorKey.of(TensorRole.HEAD)));
    }
    Stream<TensorKey> embedding = Stream.of(TensorKey.of(TensorRole.EMBEDDING));
    return Stream.concat(Stream.concat(embedding, middle), tail);
  }

  /** The same with one expert for all of a layer, which have the same shapes. */
  Stream<TensorKey> tensorKinds() {
    return tensorKeys(1);
  }

  private Stream<TensorKey> layerKeys(int layer, int maxExperts) {
    List<TensorRole> roles = TensorShapes.rolesOf(layers.get(layer));
    Stream<TensorKey> own =
        roles.stream()
            .filter(role -> role.scope() == TensorRole.Scope.LAYER)
            .map(role -> new TensorKey(role, layer, -1));
    Stream<TensorKey> experts =
        IntStream.range(0, hasExperts(layer) ? Math.min(maxExperts, numExperts()) : 0)
            .boxed()
            .flatMap(expert ->
                roles.stream()
                    .filter(role -> role.scope() == TensorRole.Scope.EXPERT)
                    .map(role -> new TensorKey(role, layer, expert)));
    return Stream.concat(own, experts);
  }

  /**
   * Weights of the whole model.
   *
   * @throws ArithmeticException if they do not fit a long
   */
  public long totalParameters() {
    return parameters(numExperts(), key -> true);
  }

  /** Weights that one token passes: of the experts only topK per layer. */
  public long activeParameters() {
    return activeParameters(key -> true);
  }

  /** The same of some tensors. */
  long activeParameters(Predicate<TensorKey> some) {
    return parameters(topK(), some);
  }

  private long parameters(int experts, Predicate<TensorKey> some) {
    return tensorKinds()
        .filter(some)
        .mapToLong(key -> Math.multiplyExact(elements(key), key.expert() < 0 ? 1 : experts))
        .reduce(0, Math::addExact);
  }

  private long elements(TensorKey key) {
    return shape(key).stream().reduce(1L, Math::multiplyExact);
  }
}
