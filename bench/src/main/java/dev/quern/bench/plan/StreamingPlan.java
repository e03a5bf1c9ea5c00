package dev.quern.bench.plan;

import dev.quern.bench.cache.RoutingTrace;
import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.StreamedExperts;
import dev.quern.format.ExpertFile;
import dev.quern.format.FormatException;
import dev.quern.format.Pack;
import dev.quern.format.ShadowFile;
import dev.quern.kv.KvType;
import dev.quern.model.ExpertStreams;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import dev.quern.model.RunMemory;
import dev.quern.model.Streaming;
import dev.quern.model.WeightSizes;
import dev.quern.system.DiskSpeed;
import dev.quern.system.IoMode;
import dev.quern.system.PageMemory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.IntStream;

/**
 * What running a model with experts on disk takes and gives, predicted: memory from the sizes of
 * its tensors, hits by replaying a trace through the cache policy, time from kernels and disk as
 * measured on this machine; see {@link TokenTime}.
 */
public final class StreamingPlan {

  /**
   * Of the missing experts, those that are read ahead, as measured on datasets/tiny-moe with a
   * quarter to half of its experts in memory: by the next layers' own routers, by a trained shadow.
   */
  public static final double READ_AHEAD_BY_ROUTERS = 0.3;

  public static final double READ_AHEAD_BY_SHADOW = 0.55;

  private static final long DISK_MILLIS = 800;

  /**
   * One way of storing the weights.
   *
   * @param bits as {@code convert --bits} takes them; 0 for a pack as it is
   * @param otherBytes everything that is always in memory
   * @param slotBytes that a record takes in memory, on average over layers
   * @param experts of all layers
   */
  public record Variant(int bits, long otherBytes, long slotBytes, long experts, DecodeCost cost) {

    /** Memory with so many experts in it. */
    public long memory(long capacity) {
      return Math.addExact(otherBytes, Math.multiplyExact(capacity, slotBytes));
    }

    /** The least memory in which it runs. */
    public long leastMemory() {
      return memory(cost.topK());
    }

    /** Experts that fit; below topK it does not run. */
    public long capacity(long memoryBytes) {
      return Math.clamp((memoryBytes - otherBytes) / slotBytes, 0, experts);
    }
  }

  /**
   * One prediction.
   *
   * @param capacity experts in memory, of all layers together
   * @param memoryBytes everything in memory
   * @param hitRate of the experts used, those in memory when the router chose them
   * @param tokensPerSecond decoding, the cache being warm
   */
  public record Point(
      Variant variant, long capacity, long memoryBytes, double hitRate, double tokensPerSecond) {
    public double share() {
      return (double) capacity / variant.experts();
    }
  }

  /** How often experts are missing; replayed once per share of the cache. */
  static final class Hits {
    private static final int STEPS = 1000; // shares are told apart to a thousandth

    private final RoutingTrace trace;
    private final CachePolicyKind policy;
    private final double readAhead;
    private final Map<Integer, MissCounts> known = new HashMap<>();

    Hits(RoutingTrace trace, CachePolicyKind policy, double readAhead) {
      this.trace = trace;
      this.policy = policy;
      this.readAhead = readAhead;
    }

    MissCounts at(double share) {
      return known.computeIfAbsent(
          (int) Math.round(share * STEPS),
          step -> MissCounts.of(trace, policy, (double) step / STEPS));
    }
  }

  /**
   * What is asked.
   *
   * @param context positions of the one session
   * @param bits to convert an unconverted model to; ignored for a pack
   * @param disk empty to measure it
   * @param routing of the model; empty for {@link RoutingTrace#fitted}
   * @param readAhead of the missing experts, the share that is read before it is needed
   */
  public record Question(
      int context,
      int threads,
      List<Integer> bits,
      Optional<DiskRate> disk,
      CachePolicyKind policy,
      Optional<RoutingTrace> routing,
      double readAhead) {
    public Question {
      bits = bits.stream().distinct().sorted((a, b) -> b - a).toList();
      if (bits.isEmpty() || bits.stream().anyMatch(b -> b < 2 || b > 4)) {
        throw new IllegalArgumentException("bits: expected 2, 3 or 4, found " + bits);
      }
      if (policy.needsProfile()) {
        throw new IllegalArgumentException(
            "cache policy " + policy + " needs a profile, which a plan does not have");
      }
      if (threads < 1) {
        throw new IllegalArgumentException("threads: expected at least 1, found " + threads);
      }
    }
  }

  private final RunMemory memory;
  private final List<Variant> variants;
  private final DiskRate disk;
  private final Hits hits;

  StreamingPlan(RunMemory memory, List<Variant> variants, DiskRate disk, Hits hits) {
    this.memory = memory;
    this.variants = List.copyOf(variants);
    this.disk = disk;
    this.hits = hits;
  }

  /** What is needed beside the weights. */
  public RunMemory memory() {
    return memory;
  }

  /** Ways of storing the weights, most bits first. */
  public List<Variant> variants() {
    return variants;
  }

  /** The reads that the times assume. */
  public DiskRate disk() {
    return disk;
  }

  /**
   * Measures kernels and disk, in a few seconds.
   *
   * @throws FormatException if the model has no experts or traces are of another model
   */
  public static StreamingPlan of(ModelSource source, Question question) throws IOException {
    ModelConfig config = source.config();
    if (config.experts().isEmpty()) {
      throw new FormatException(
          source.path() + ": a model without experts: nothing of it can stay on disk");
    }
    if (question.context() < 1 || question.context() > config.maxPositions()) {
      throw new FormatException(
          "%s: context: expected 1 to %d, the model's, found %d"
              .formatted(source.path(), config.maxPositions(), question.context()));
    }
    RoutingTrace trace =
        question.routing().orElseGet(() -> RoutingTrace.fitted(config.numExperts(), config.topK()));
    RunMemory memory = RunMemory.of(config, question.context(), KvType.F16);
    List<Variant> variants = new ArrayList<>();
    try (MeasuredKernels kernels = new MeasuredKernels(question.threads())) {
      switch (source) {
        case ModelSource.Packed pack -> variants.add(variant(pack, memory, kernels, question));
        case ModelSource.Unconverted model -> {
          for (int bits : question.bits()) {
            variants.add(variant(model, bits, memory, kernels, question.policy()));
          }
        }
      }
    }
    DiskRate disk =
        question.disk().isPresent()
            ? question.disk().get()
            : measureDisk(source, variants.getFirst().slotBytes());
    return new StreamingPlan(
        memory, variants, disk, new Hits(trace, question.policy(), question.readAhead()));
  }

  /** The same measurements with another way of keeping and reading experts. */
  public StreamingPlan with(CachePolicyKind policy, double readAhead) {
    return new StreamingPlan(memory, variants, disk, new Hits(hits.trace, policy, readAhead));
  }

  private static Variant variant(
      ModelSource.Packed pack, RunMemory memory, KernelTimes kernels, Question question)
      throws IOException {
    long experts = 0;
    long bytes = 0;
    for (int layer = 0; layer < pack.config().numLayers(); layer++) {
      Optional<ExpertFile> file = pack.pack().expertFile(layer);
      if (file.isPresent()) {
        experts += file.get().numExperts();
        bytes += file.get().numExperts() * StreamedExperts.slotBytes(file.get());
      }
    }
    DecodeCost products =
        DecodeCost.of(pack.config(), DecodeCost.in(pack), memory.context(), kernels);
    double cache = kernels.reading(memory.cache() / 2);
    OptionalDouble whole = MeasuredToken.seconds(pack, question.threads());
    return new Variant(
        0,
        memory.bytes()
            + WeightSizes.of(pack).restResident()
            + stateBytes(question.policy(), pack.config())
            + ExpertStreams.predictorBytes(pack.path(), pack.config(), Streaming.Prediction.BEST),
        Math.ceilDiv(bytes, experts),
        experts,
        whole.isPresent() ? products.adjusted(whole.getAsDouble() + cache) : products);
  }

  private static Variant variant(
      ModelSource.Unconverted model,
      int bits,
      RunMemory memory,
      KernelTimes kernels,
      CachePolicyKind policy)
      throws FormatException {
    ModelConfig config = model.config();
    WeightSizes.Encodings encodings = WeightSizes.encodings(model);
    WeightSizes weights = WeightSizes.converted(config, encodings, bits);
    long experts =
        IntStream.range(0, config.numLayers()).filter(config::hasExperts).count()
            * config.numExperts();
    return new Variant(
        bits,
        memory.bytes()
            + weights.restResident()
            + stateBytes(policy, config)
            + ExpertStreams.predictorBytes(model.path(), config, Streaming.Prediction.BEST),
        PageMemory.roundUp(Math.ceilDiv(weights.expertBytes(), experts)),
        experts,
        DecodeCost.of(config, DecodeCost.converted(encodings, bits), memory.context(), kernels));
  }

  private static long stateBytes(CachePolicyKind policy, ModelConfig config) {
    int layers = (int) IntStream.range(0, config.numLayers()).filter(config::hasExperts).count();
    return policy.stateBytes(layers, config.numExperts());
  }

  /** Reads from the model's own files, past the page cache where the system allows it. */
  private static DiskRate measureDisk(ModelSource source, long recordBytes) throws IOException {
    List<Path> files =
        switch (source) {
          case ModelSource.Packed pack ->
              IntStream.range(0, pack.config().numLayers())
                  .filter(pack.config()::hasExperts)
                  .mapToObj(layer -> pack.path().resolve(Pack.expertPath(layer)))
                  .toList();
          case ModelSource.Unconverted model -> model.files().files();
        };
    DiskSpeed speed = DiskSpeed.measure(files, IoMode.DIRECT, recordBytes, DISK_MILLIS);
    return DiskRate.usual(speed.bytesPerSecond());
  }

  /** Of the missing experts, those that are read ahead by the best predictor of a model or pack. */
  public static double readAhead(Path model) {
    return ShadowFile.isIn(model) ? READ_AHEAD_BY_SHADOW : READ_AHEAD_BY_ROUTERS;
  }

  /** What a number of experts in memory gives. */
  public Point predict(Variant variant, long capacity) {
    if (capacity < variant.cost().topK() || capacity > variant.experts()) {
      throw new IllegalArgumentException(
          "experts in memory: expected %d to %d, found %d"
              .formatted(variant.cost().topK(), variant.experts(), capacity));
    }
    MissCounts misses =
        capacity == variant.experts()
            ? MissCounts.none(variant.cost().topK())
            : hits.at((double) capacity / variant.experts());
    TokenTime time = new TokenTime(variant.cost(), disk, variant.slotBytes(), hits.readAhead);
    return new Point(
        variant, capacity, variant.memory(capacity), misses.hitRate(), 1 / time.seconds(misses));
  }

  /**
   * What an amount of memory gives; empty if the variant does not run in it.
   *
   * @param memoryBytes for everything together
   */
  public Optional<Point> predictWithin(Variant variant, long memoryBytes) {
    long capacity = variant.capacity(memoryBytes);
    return capacity < variant.cost().topK()
        ? Optional.empty()
        : Optional.of(predict(variant, capacity));
  }

  /**
   * The most bits that give at least half of the speed that the fewest give: quality counts more
   * than speed, up to a point.
   *
   * @throws FormatException with the numbers, if no variant runs in so little
   */
  public Point recommend(long memoryBytes) throws FormatException {
    List<Point> points =
        variants.stream().flatMap(v -> predictWithin(v, memoryBytes).stream()).toList();
    if (points.isEmpty()) {
      Variant smallest = variants.getLast();
      throw new FormatException(
          ("memory: expected at least %,d MB, found %,d MB: %,d MB go to weights outside the"
                  + " experts, a context of %,d, buffers and the virtual machine, %,d MB to the"
                  + " experts of one token in one layer. Shorten the context or give more memory")
              .formatted(
                  megabytesUp(smallest.leastMemory()),
                  memoryBytes / 1_000_000,
                  megabytesUp(smallest.otherBytes()),
                  memory.context(),
                  megabytesUp(smallest.leastMemory() - smallest.otherBytes())));
    }
    double fastest = points.stream().mapToDouble(Point::tokensPerSecond).max().orElseThrow();
    return points.stream()
        .filter(point -> point.tokensPerSecond() >= fastest / 2)
        .findFirst()
        .orElseThrow();
  }

  private static long megabytesUp(long bytes) {
    return Math.ceilDiv(bytes, 1_000_000L);
  }
}
