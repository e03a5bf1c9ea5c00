package dev.quern.model;

import dev.quern.experts.CachePolicy;
import dev.quern.experts.CacheShape;
import dev.quern.experts.ExpertPredictor;
import dev.quern.experts.ExpertViews;
import dev.quern.experts.NextRouterPredictor;
import dev.quern.experts.RoutingObserver;
import dev.quern.experts.ShadowPredictor;
import dev.quern.experts.StreamOptions;
import dev.quern.experts.StreamStatistics;
import dev.quern.experts.StreamedExperts;
import dev.quern.format.ExpertFile;
import dev.quern.format.FormatException;
import dev.quern.format.ShadowFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Experts that come from disk while a model runs, and what goes with them: the store, the thread
 * that reads ahead, the one that watches the system's memory.
 */
public final class ExpertStreams implements AutoCloseable {
  /** Layers that untrained predictions look ahead. */
  private static final int NEXT_ROUTER_DISTANCE = 2;

  private final Streaming streaming;
  private final StreamedExperts store;
  private final Plan plan;
  private String predictor = "none";

  /**
   * What fits.
   *
   * @param otherBytes what everything but experts takes, as predicted; 0 if only a budget for
   *     experts was given
   * @param expertBytes the budget of the experts' records
   * @param allBytes what the records of all experts take
   */
  public record Plan(long otherBytes, long expertBytes, long allBytes) {
    static Plan of(ModelSource.Packed pack, Streaming.Budget budget) throws FormatException {
      long all = 0;
      long largest = 0;
      for (int layer = 0; layer < pack.config().numLayers(); layer++) {
        Optional<ExpertFile> file = pack.pack().expertFile(layer);
        if (file.isPresent()) {
          long slot = StreamedExperts.slotBytes(file.get());
          all = Math.addExact(all, file.get().numExperts() * slot);
          largest = Math.max(largest, slot);
        }
      }
      return switch (budget) {
        case Streaming.Experts(long bytes) -> new Plan(0, Math.min(bytes, all), all).check(largest);
        case Streaming.Total(long bytes, int context) -> {
          ModelConfig config = pack.config();
          RunMemory memory = RunMemory.of(config, Math.min(context, config.maxPositions()));
          long other = memory.bytes() + WeightSizes.of(pack).restResident();
          Plan plan = new Plan(other, Math.min(bytes - other, all), all);
          yield plan.check(Math.multiplyExact(largest, config.topK()));
        }
      };
    }

    private Plan check(long least) {
      if (expertBytes < least) {
        throw new IllegalArgumentException(
            ("memory: expected at least %,d MB, found %,d MB: %,d MB go to weights outside the"
                    + " experts, the context, buffers and the virtual machine, and experts need %,d"
                    + " MB at once. Shorten the context or give more memory")
                .formatted(
                    megabytesUp(otherBytes + least),
                    (otherBytes + expertBytes) / 1_000_000,
                    megabytesUp(otherBytes),
                    megabytesUp(least)));
      }
      return this;
    }

    private static long megabytesUp(long bytes) {
      return Math.ceilDiv(bytes, 1_000_000);
    }
  }

  private ExpertStreams(Streaming streaming, StreamedExperts store, Plan plan) {
    this.streaming = streaming;
    this.store = store;
    this.plan = plan;
  }

  /**
   * Measures the disk and opens the store; nothing is in memory yet.
   *
   * @throws IllegalArgumentException if the budget does not hold what the model cannot do without
   */
  static ExpertStreams open(ModelSource.Packed pack, Streaming streaming, ExpertViews views)
      throws IOException {
    Plan plan = Plan.of(pack, streaming.budget());
    List<Optional<ExpertFile>> layers =
        IntStream.range(0, pack.config().numLayers())
            .mapToObj(layer -> pack.pack().expertFile(layer))
            .toList();
    int readers = streaming.readers() == 0 ? 4 : streaming.readers();
    StreamOptions options =
        new StreamOptions(
            plan.expertBytes(),
            streaming.io(),
            shape -> policy(streaming, shape),
            streaming.verify(),
            readers);
    StreamedExperts store = StreamedExperts.open(layers, pack.config().topK(), views, options);
    return new ExpertStreams(streaming, store, plan);
  }

  private static CachePolicy policy(Streaming streaming, CacheShape shape) {
    return streaming.policy().create(shape, streaming.profile());
  }

  /** Starts reading ahead and watching, once the weights are there; fills the cache if asked. */
  void start(Model model, Path pack, boolean allBeforehand) throws IOException {
    predictor(model, pack);
  }

  private Optional<ExpertPredictor> predictor(Model model, Path pack) throws IOException {
    boolean hasShadow = Files.exists(pack.resolve(ShadowFile.FOLDER));
    return switch (streaming.prediction()) {
      case NONE -> Optional.empty();
      case NEXT_ROUTER -> Optional.of(nextRouter(model));
      case SHADOW -> Optional.of(shadow(model, pack));
      case BEST -> Optional.of(hasShadow ? shadow(model, pack) : nextRouter(model));
    };
  }

  private ExpertPredictor shadow(Model model, Path pack) throws IOException {
    predictor = "the pack's shadow";
    ModelConfig config = model.config();
    return ShadowPredictor.open(
        pack, config.numLayers(), config.hiddenSize(), config.numExperts(), config.vocabSize());
  }

  private ExpertPredictor nextRouter(Model model) {
    predictor = "the next layers' routers";
    return new NextRouterPredictor(
        model.routers(),
        model.config().topK(),
        NEXT_ROUTER_DISTANCE,
        NextRouterPredictor.Norm.EXCHANGED);
  }

  /** Whoever must be told of what routers choose. */
  List<RoutingObserver> observers() {
    List<RoutingObserver> observers = new ArrayList<>();
    observers.add(store);
    return observers;
  }

  public StreamedExperts store() {
    return store;
  }

  public Plan plan() {
    return plan;
  }

  /** Who says which experts come next, in words. */
  public String predictor() {
    return predictor;
  }

  public StreamStatistics statistics() {
    return store.statistics();
  }

  /** Ends the threads; the store is closed with the weights. */
  @Override
  public void close() {}
}
