package dev.quern.bench.plan;

import dev.quern.format.DType;
import dev.quern.format.ExpertMatrix;
import dev.quern.format.FormatException;
import dev.quern.format.PackManifest;
import dev.quern.format.RowEncoding;
import dev.quern.kernels.Matrix;
import dev.quern.kv.KvType;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import dev.quern.model.RunMemory;
import dev.quern.model.TensorKey;
import dev.quern.model.TensorRole;
import dev.quern.model.WeightSizes;
import dev.quern.quant.QuantScheme;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;

/**
 * What decoding one token computes, in seconds, with every weight in memory.
 *
 * @param restSeconds outside layers with experts: the head, and dense layers
 * @param layerSeconds of a layer with experts, up to and with its router
 * @param expertSeconds of one expert
 * @param expertLayers layers with experts
 * @param topK experts that a token uses in a layer
 */
public record DecodeCost(
    double restSeconds, double layerSeconds, double expertSeconds, int expertLayers, int topK) {

  public DecodeCost {
    boolean times =
        restSeconds >= 0
            && layerSeconds >= 0
            && expertSeconds >= 0
            && restSeconds + layerSeconds + expertSeconds < Double.POSITIVE_INFINITY;
    if (!times || expertLayers < 1 || topK < 1) {
      throw new IllegalArgumentException(
          "cost of a token: %s s, %d layers of %s s, %d experts of %s s"
              .formatted(restSeconds, expertLayers, layerSeconds, topK, expertSeconds));
    }
  }

  /** Seconds of a token when nothing is read from disk. */
  public double residentSeconds() {
    return restSeconds + expertLayers * (layerSeconds + topK * expertSeconds);
  }

  /**
   * The same with a whole token as measured: what it takes beside its products (norms, attention,
   * the router's choice, waking threads) goes to the layers and the rest. If it takes less than its
   * products one by one, these are scaled.
   */
  DecodeCost adjusted(double tokenSeconds) {
    double more = tokenSeconds - residentSeconds();
    if (more < 0) {
      double scale = tokenSeconds / residentSeconds();
      return new DecodeCost(
          scale * restSeconds, scale * layerSeconds, scale * expertSeconds, expertLayers, topK);
    }
    return new DecodeCost(
        restSeconds, layerSeconds + more / expertLayers, expertSeconds, expertLayers, topK);
  }

  /** How a model's tensors are stored when it runs. */
  @FunctionalInterface
  interface Stored {
    StoredMap.Storage of(TensorKey key) throws FormatException;
  }

  /** As a pack has them. */
  static Stored in(ModelSource.Packed pack) {
    return asked -> {
      // The embedding of a tied model is its head, unless that is stored at other bits.
      boolean head = asked.role() == TensorRole.EMBEDDING && pack.hasHead();
      TensorKey key = head ? TensorKey.of(TensorRole.HEAD) : asked;
      if (key.role().scope() == TensorRole.Scope.EXPERT) {
        ExpertMatrix matrix = pack.expertMatrix(key);
        return matrix.scheme().isPresent()
            ? new StoredMap.Quantized(matrix.scheme().get())
            : numbers(matrix.dense().orElse(DType.F32));
      }
      Optional<PackManifest.QuantizedTensor> quantized = pack.quantized(key);
      return quantized.isPresent()
          ? new StoredMap.Quantized(quantized.get().scheme())
          : numbers(key.role().keptAs(pack.stored(key).encoding()));
    };
  }

  /** As {@code convert --bits} would store them. */
  static Stored converted(WeightSizes.Encodings encodings, int bits) {
    QuantScheme scheme = QuantScheme.turbo(bits);
    return key -> {
      if (key.role().scope() == TensorRole.Scope.EXPERT) {
        return new StoredMap.Quantized(scheme);
      }
      RowEncoding own = encodings.of(key);
      return numbers(key.role().keptAs(own));
    };
  }

  private static StoredMap.Storage numbers(DType dtype) {
    return new StoredMap.Numbers(
        switch (dtype) {
          case BF16 -> Matrix.Element.BF16;
          case F16 -> Matrix.Element.F16;
          default -> Matrix.Element.F32;
        });
  }

  /**
   * Sums the maps that one token passes. Of a layer's experts one is timed; keys and values of half
   * the context are read beside the weights.
   *
   * @throws IllegalArgumentException if the model has no experts
   */
  static DecodeCost of(ModelConfig config, Stored stored, int context, KernelTimes times)
      throws FormatException {
    double rest = 0;
    double inLayers = 0;
    double expert = 0;
    int layers = 0;
    Iterator<TensorKey> keys = config.tensorKeys().iterator();
    while (keys.hasNext()) {
      TensorKey key = keys.next();
      if (key.expert() > 0 || !key.role().isMap()) {
        continue;
      }
      boolean embedding = key.role() == TensorRole.EMBEDDING;
      if (embedding && !config.tieWordEmbeddings()) {
        continue; // one row
      }
      List<Long> shape = config.shape(key);
      StoredMap map =
          new StoredMap(
              Math.toIntExact(shape.get(0)), Math.toIntExact(shape.get(1)), stored.of(key));
      double seconds = times.product(map);
      if (key.expert() == 0) {
        expert += seconds;
      } else if (key.layer() >= 0 && config.hasExperts(key.layer())) {
        inLayers += seconds;
      } else {
        rest += seconds;
      }
    }
    for (int layer = 0; layer < config.numLayers(); layer++) {
      layers += config.hasExperts(layer) ? 1 : 0;
    }
    if (layers == 0) {
      throw new IllegalArgumentException("a model without experts");
    }
    double cache = times.reading(RunMemory.of(config, context, KvType.F16).cache() / 2);
    double cachePerLayer = cache / config.numLayers();
    return new DecodeCost(
        rest + (config.numLayers() - layers) * cachePerLayer,
        inLayers / layers + cachePerLayer,
        expert / layers,
        layers,
        config.topK());
  }
}
