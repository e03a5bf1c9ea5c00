package dev.quern.model;

import dev.quern.experts.CachePolicy;
import dev.quern.experts.CacheShape;
import dev.quern.experts.ExpertGuesses;
import dev.quern.experts.ExpertPredictor;
import dev.quern.experts.ExpertStore;
import dev.quern.experts.ExpertViews;
import dev.quern.experts.MemoryMonitor;
import dev.quern.experts.NextRouterPredictor;
import dev.quern.experts.Prefetcher;
import dev.quern.experts.RoutingObserver;
import dev.quern.experts.ShadowPredictor;
import dev.quern.experts.StreamOptions;
import dev.quern.experts.StreamStatistics;
import dev.quern.experts.StreamedExperts;
import dev.quern.format.ExpertFile;
import dev.quern.format.FormatException;
import dev.quern.format.ShadowFile;
import dev.quern.kv.KvType;
import dev.quern.system.DiskSpeed;
import dev.quern.system.IoMode;
import dev.quern.system.MemoryStatus;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * Experts that come from disk while a model runs, and what goes with them: the store, the thread
 * that reads ahead, the one that watches the system's memory.
 */
public final class ExpertStreams implements AutoCloseable {
  /** How long the disk is measured at the start. */
  private static final int MEASURE_MILLIS = 100;

  /** What stays available to the rest of the system. */
  private static final long RESERVE_BYTES = 256L << 20;

  /** Layers that untrained predictions look ahead. */
  private static final int NEXT_ROUTER_DISTANCE = 2;

  private final Streaming streaming;
  private final StreamedExperts store;
  private final Plan plan;
  private final Optional<DiskSpeed> disk;
  private Optional<Prefetcher> prefetcher = Optional.empty();
  private Optional<MemoryMonitor> monitor = Optional.empty();
  private final IntPredicate hasExperts;
  private StreamStatistics atStart;
  private MemoryStatus memoryStatus;
  private String predictor = "nobody";

  /**
   * What fits.
   *
   * @param otherBytes what everything but experts takes, as predicted; 0 if only a budget for
   *     experts was given
   * @param expertBytes the budget of the experts' records
   * @param allBytes what the records of all experts take
   * @param leastBytes what those take that a layer needs at once
   */
  public record Plan(long otherBytes, long expertBytes, long allBytes, long leastBytes) {
    private static final double[] SHARES = {0, 0.1, 0.25, 0.5, 0.75, 1};
    private static final double[] HITS = {0, 0.17, 0.37, 0.63, 0.85, 1}; // docs/results.md

    /**
     * @param standIns whether the pack's stand-ins stay in memory beside the experts
     */
    static Plan of(ModelSource.Packed pack, Streaming streaming, boolean standIns, KvType kvType)
        throws FormatException {
      int layers = 0;
      long all = 0;
      long largest = 0;
      for (int layer = 0; layer < pack.config().numLayers(); layer++) {
        Optional<ExpertFile> file = pack.pack().expertFile(layer);
        if (file.isPresent()) {
          long slot = StreamedExperts.slotBytes(file.get());
          layers++;
          all = Math.addExact(all, file.get().numExperts() * slot);
          largest = Math.max(largest, slot);
        }
      }
      return switch (streaming.budget()) {
        case Streaming.Experts(long bytes) ->
            new Plan(0, Math.min(bytes, all), all, largest).check();
        case Streaming.Total(long bytes, int context) -> {
          ModelConfig config = pack.config();
          RunMemory memory = RunMemory.of(config, Math.min(context, config.maxPositions()), kvType);
          WeightSizes weights = WeightSizes.of(pack);
          long other =
              memory.bytes()
                  + weights.restResident()
                  + streaming.policy().stateBytes(layers, config.numExperts())
                  + (standIns ? weights.standInBytes() : 0)
                  + predictorBytes(pack.path(), config, streaming.prediction());
          long least = Math.multiplyExact(largest, config.topK());
          yield new Plan(other, Math.min(bytes - other, all), all, least).check();
        }
      };
    }

    /** Of all experts, those that fit: 0 to 1. */
    public double share() {
      return (double) expertBytes / allBytes;
    }

    /**
     * Of the experts that tokens use, those that are probably in memory: as with the default policy
     * on datasets/tiny-moe, the only routing that was measured. Models differ; {@code quern plan
     * --traces} and {@code quern bench cache} tell for one.
     */
    public double expectedHitRate() {
      int i = 1;
      while (share() > SHARES[i]) {
        i++;
      }
      double part = (share() - SHARES[i - 1]) / (SHARES[i] - SHARES[i - 1]);
      return HITS[i - 1] + part * (HITS[i] - HITS[i - 1]);
    }

    private Plan check() {
      if (expertBytes < leastBytes) {
        throw new IllegalArgumentException(
            ("memory: expected at least %,d MB, found %,d MB: %,d MB go to weights outside the"
                    + " experts, the context, buffers and the virtual machine, and experts need %,d"
                    + " MB at once. Shorten the context or give more memory")
                .formatted(
                    megabytesUp(otherBytes + leastBytes),
                    (otherBytes + expertBytes) / 1_000_000,
                    megabytesUp(otherBytes),
                    megabytesUp(leastBytes)));
      }
      return this;
    }

    private static long megabytesUp(long bytes) {
      return Math.ceilDiv(bytes, 1_000_000);
    }
  }

  private ExpertStreams(
      Streaming streaming,
      StreamedExperts store,
      Plan plan,
      Optional<DiskSpeed> disk,
      IntPredicate hasExperts) {
    this.streaming = streaming;
    this.store = store;
    this.plan = plan;
    this.disk = disk;
    this.hasExperts = hasExperts;
    atStart = store.statistics();
  }

  /**
   * Measures the disk and opens the store; nothing is in memory yet.
   *
   * @throws IllegalArgumentException if the budget does not hold what the model cannot do without
   */
  static ExpertStreams open(ModelSource.Packed pack, ModelOptions model, ExpertViews views)
      throws IOException {
    Streaming streaming = model.streaming().orElseThrow();
    Plan plan = Plan.of(pack, streaming, model.selection().standIns(), model.kvType());
    List<Optional<ExpertFile>> layers =
        IntStream.range(0, pack.config().numLayers())
            .mapToObj(layer -> pack.pack().expertFile(layer))
            .toList();
    Optional<DiskSpeed> disk = Optional.empty();
    int readers = streaming.readers();
    if (readers == 0) {
      disk = Optional.of(measure(layers, streaming.io()));
      readers = disk.get().readers();
    }
    StreamOptions options =
        new StreamOptions(
            plan.expertBytes(),
            streaming.io(),
            shape -> policy(streaming, shape),
            streaming.verify(),
            readers);
    StreamedExperts store = StreamedExperts.open(layers, pack.config().topK(), views, options);
    return new ExpertStreams(streaming, store, plan, disk, layer -> layers.get(layer).isPresent());
  }

  private static DiskSpeed measure(List<Optional<ExpertFile>> layers, IoMode io)
      throws IOException {
    List<ExpertFile> files = layers.stream().flatMap(Optional::stream).toList();
    return DiskSpeed.measure(
        files.stream().map(ExpertFile::file).toList(),
        io,
        files.getFirst().recordStride(),
        MEASURE_MILLIS);
  }

  private static CachePolicy policy(Streaming streaming, CacheShape shape) {
    return streaming.policy().create(shape, streaming.profile());
  }

  /** Starts reading ahead and watching, once the weights are there; fills the cache if asked. */
  void start(Model model, Path pack, boolean allBeforehand) throws IOException {
    Optional<ExpertPredictor> found = predictor(model, pack);
    prefetcher =
        found.map(
            p -> new Prefetcher(store, p, model.config().topK(), Prefetcher.Thresholds.DEFAULT));
    if (allBeforehand) {
      load(everyKey());
    } else if (streaming.profile().isPresent()) {
      load(streaming.profile().get().hottest(store.shape().capacity()));
    }
    atStart = store.statistics();
    if (streaming.watch()) {
      watch();
    }
  }

  /** Reads experts into the cache, layer by layer. */
  private void load(int[] keys) {
    CacheShape shape = store.shape();
    int[] group = new int[shape.numExperts()];
    for (int layer = 0; layer < shape.numLayers(); layer++) {
      int of = layer;
      int[] experts =
          Arrays.stream(keys).filter(key -> shape.layer(key) == of).map(shape::expert).toArray();
      if (experts.length == 0) {
        continue;
      }
      store.begin(layer, experts, experts.length, ExpertStore.Order.ANNOUNCED);
      try {
        while (store.next(group) > 0) {
          // Being in memory is all that is wanted of it.
        }
      } finally {
        store.end();
      }
    }
  }

  private void watch() {
    memoryStatus = MemoryStatus.open();
    if (memoryStatus.known()) {
      MemoryMonitor.Options options =
          MemoryMonitor.Options.of(
              RESERVE_BYTES, Math.min(plan.expertBytes, plan.leastBytes), plan.expertBytes);
      monitor = Optional.of(new MemoryMonitor(store, memoryStatus::availableBytes, options));
      monitor.get().start();
    }
  }

  private int[] everyKey() {
    CacheShape shape = store.shape();
    if (plan.expertBytes < plan.allBytes) {
      throw new IllegalArgumentException(
          "prefill resident: expected memory for all experts, %,d MB, found %,d MB. Use layer-grouped"
              .formatted(Plan.megabytesUp(plan.allBytes), plan.expertBytes / 1_000_000));
    }
    return IntStream.range(0, shape.keys())
        .filter(key -> hasExperts.test(shape.layer(key)))
        .toArray();
  }

  private Optional<ExpertPredictor> predictor(Model model, Path pack) throws IOException {
    return switch (streaming.prediction()) {
      case NONE -> Optional.empty();
      case NEXT_ROUTER -> Optional.of(nextRouter(model));
      case SHADOW -> Optional.of(shadow(model, pack));
      case BEST -> Optional.of(ShadowFile.isIn(pack) ? shadow(model, pack) : nextRouter(model));
    };
  }

  /**
   * What predicting takes: the weights of the pack's shadow, or the routers once more in float32.
   *
   * @param model a pack, or what it will be made from
   */
  public static long predictorBytes(
      Path model, ModelConfig config, Streaming.Prediction prediction) {
    return switch (prediction) {
      case NONE -> 0;
      case NEXT_ROUTER -> MemoryFit.expertCount(config) * config.hiddenSize() * Float.BYTES;
      case SHADOW -> // 0 where it is missing, which opening it says
          model.resolve(ShadowFile.FOLDER).resolve(ShadowFile.WEIGHTS_NAME).toFile().length();
      case BEST -> {
        Streaming.Prediction best =
            ShadowFile.isIn(model) ? Streaming.Prediction.SHADOW : Streaming.Prediction.NEXT_ROUTER;
        yield predictorBytes(model, config, best);
      }
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
        NextRouterPredictor.Norm.KEPT);
  }

  /** Whoever must be told of what routers choose. */
  List<RoutingObserver> observers() {
    List<RoutingObserver> observers = new ArrayList<>();
    observers.add(store);
    prefetcher.ifPresent(observers::add);
    return observers;
  }

  /** Guesses for speculative execution; none if it is not asked for or nothing predicts. */
  Optional<ExpertGuesses> guesses() {
    boolean known = streaming.speculate() && prefetcher.isPresent();
    return known ? Optional.of(store) : Optional.empty();
  }

  public StreamedExperts store() {
    return store;
  }

  public Plan plan() {
    return plan;
  }

  /** What was measured at the start; empty if the number of readers was given. */
  public Optional<DiskSpeed> disk() {
    return disk;
  }

  /** Who says which experts come next, in words. */
  public String predictor() {
    return predictor;
  }

  /** Since the model was opened and the cache filled. */
  public StreamStatistics statistics() {
    return store.statistics().since(atStart);
  }

  /** Who reads ahead, if anybody predicts. */
  public Optional<Prefetcher> prefetcher() {
    return prefetcher;
  }

  public Optional<MemoryMonitor> monitor() {
    return monitor;
  }

  /** Ends the threads; the store is closed with the weights. */
  @Override
  public void close() {
    monitor.ifPresent(MemoryMonitor::close);
    if (memoryStatus != null) {
      memoryStatus.close();
    }
    prefetcher.ifPresent(Prefetcher::close);
  }
}
