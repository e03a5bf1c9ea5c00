package dev.quern.bench.streaming;

import dev.quern.bench.speed.Throughput;
import dev.quern.bench.streaming.StreamingResults.Decoding;
import dev.quern.bench.streaming.StreamingResults.Memory;
import dev.quern.bench.streaming.StreamingResults.Prefilling;
import dev.quern.bench.streaming.StreamingResults.Reading;
import dev.quern.bench.streaming.StreamingResults.Warming;
import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.CacheShape;
import dev.quern.experts.ExpertProfile;
import dev.quern.experts.ExpertStore;
import dev.quern.experts.RoutedTokens;
import dev.quern.experts.RoutingObserver;
import dev.quern.experts.StreamStatistics;
import dev.quern.experts.StreamedExperts;
import dev.quern.format.ExpertFile;
import dev.quern.format.Pack;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.ModelSource;
import dev.quern.model.Prefill;
import dev.quern.model.Session;
import dev.quern.model.Streaming;
import dev.quern.model.Streaming.Prediction;
import dev.quern.system.DiskSpeed;
import dev.quern.system.MemoryStatus;
import dev.quern.system.ProcessIo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.Consumer;

/** Runs a pack whose experts stay on disk in every way that is compared. */
final class StreamingRuns {
  private static final int READING_TURNS = 5;
  private static final int READING_MILLIS = 1000;

  private final StreamingProtocol protocol;
  private final Consumer<String> progress;
  private final long allBytes;
  private final long slotBytes;
  private final int readers;
  private final int topK;

  StreamingRuns(StreamingProtocol protocol, Consumer<String> progress) throws IOException {
    this.protocol = protocol;
    this.progress = progress;
    try (Pack pack = Pack.open(protocol.pack())) {
      List<ExpertFile> files = files(pack);
      slotBytes = files.stream().mapToLong(StreamedExperts::slotBytes).max().orElseThrow();
      allBytes = files.stream().mapToLong(f -> f.numExperts() * StreamedExperts.slotBytes(f)).sum();
      readers = speed(files).readers();
    }
    try (ModelSource source = ModelSource.open(protocol.pack())) {
      topK = source.config().topK();
    }
  }

  private static List<ExpertFile> files(Pack pack) {
    List<ExpertFile> files = new ArrayList<>();
    for (String path : pack.manifest().files().keySet()) {
      if (path.startsWith(Pack.EXPERTS_FOLDER + "/")) {
        int layer = Integer.parseInt(path.replaceAll("\\D", ""));
        pack.expertFile(layer).ifPresent(files::add);
      }
    }
    return files;
  }

  private DiskSpeed speed(List<ExpertFile> files) throws IOException {
    List<Path> paths = files.stream().map(ExpertFile::file).toList();
    return DiskSpeed.measure(paths, protocol.io(), files.getFirst().recordStride(), READING_MILLIS);
  }

  long allBytes() {
    return allBytes;
  }

  long slotBytes() {
    return slotBytes;
  }

  int experts() {
    return Math.toIntExact(allBytes / slotBytes);
  }

  int topK() {
    return topK;
  }

  /** What a run takes with a share of the experts in memory. */
  Memory memory(double share) throws IOException {
    Memory memory =
        MemoryRuns.run(protocol.pack(), share, experts(), slotBytes, protocol.threads());
    progress.accept(
        "memory, %.0f %%: %.0f MB predicted, %.0f MB measured"
            .formatted(100 * share, memory.predictedBytes() / 1e6, memory.measuredBytes() / 1e6));
    return memory;
  }

  int readers() {
    return readers;
  }

  private Streaming streaming(Way way, double share, Optional<ExpertProfile> profile) {
    long bytes = Math.max(slotBytes, Math.round(share * experts()) * slotBytes);
    return new Streaming(
        new Streaming.Experts(bytes),
        protocol.io(),
        way.policy(),
        profile,
        false, // a checksum is compared once per record; in a long run that is nothing
        way.readers(),
        way.prediction(),
        way.speculate(),
        false);
  }

  private Model open(Way way, double share, Optional<ExpertProfile> profile) throws IOException {
    Streaming streaming = streaming(way, share, profile);
    return Model.open(protocol.pack(), new ModelOptions(protocol.threads()).with(streaming));
  }

  /**
   * Plain reads against the store's, in turns, as the disk's speed changes from second to second.
   */
  Reading reading() throws IOException {
    Way way = Way.keeping("", CachePolicyKind.LRU, Prediction.NONE, readers);
    List<Double> ratios = new ArrayList<>();
    List<Double> plain = new ArrayList<>();
    List<Double> store = new ArrayList<>();
    long device = 0;
    long read = 0;
    try (Model model = open(way, 0.1, Optional.empty());
        Pack pack = Pack.open(protocol.pack())) {
      for (int turn = 0; turn < READING_TURNS; turn++) {
        double before = speed(files(pack)).bytesPerSecond();
        Optional<ProcessIo> start = ProcessIo.now();
        StreamStatistics from = model.streams().orElseThrow().statistics();
        long nanos = System.nanoTime();
        readEverything(model);
        nanos = System.nanoTime() - nanos;
        StreamStatistics done = model.streams().orElseThrow().statistics().since(from);
        if (start.isPresent()) {
          device += ProcessIo.now().orElseThrow().since(start.get()).readBytes();
        }
        read += done.bytesRead();
        double after = speed(files(pack)).bytesPerSecond();
        double rate = done.bytesRead() * 1e9 / nanos;
        plain.add((before + after) / 2);
        store.add(rate);
        ratios.add(rate / ((before + after) / 2));
        progress.accept(
            "reading: plain %.0f and %.0f MB/s, store %.0f MB/s"
                .formatted(before / 1e6, after / 1e6, rate / 1e6));
      }
    }
    ratios.sort(null);
    OptionalDouble share =
        device == 0 ? OptionalDouble.empty() : OptionalDouble.of((double) device / read);
    return new Reading(Throughput.median(plain), Throughput.median(store), ratios, readers, share);
  }

  private static void readEverything(Model model) {
    StreamedExperts store = model.streams().orElseThrow().store();
    CacheShape shape = store.shape();
    int[] experts = new int[shape.numExperts()];
    int[] group = new int[shape.numExperts()];
    Arrays.setAll(experts, e -> e);
    for (int layer = 0; layer < shape.numLayers(); layer++) {
      if (!model.config().hasExperts(layer)) {
        continue;
      }
      store.begin(layer, experts, experts.length, ExpertStore.Order.AVAILABLE);
      try {
        while (store.next(group) > 0) {
          // Only the reads are wanted.
        }
      } finally {
        store.end();
      }
    }
  }

  /** Decodes the protocol's tokens in several ways with the same memory. */
  List<Decoding> decode(List<Way> ways, double share) throws IOException {
    List<Decoding> results = new ArrayList<>();
    Way.Opening opening =
        way ->
            open(way, way.slots() > 0 ? way.slots() / (double) experts() : share, Optional.empty());
    for (List<Way> together : groups(ways, share)) {
      try (DecodingTurns turns = new DecodingTurns(protocol, together, opening)) {
        results.addAll(turns.run(share));
      }
    }
    for (Decoding decoding : results) {
      progress.accept(
          "%s, %.0f %%: %.2f tokens/s, hits %.3f"
              .formatted(
                  decoding.way(), 100 * share, decoding.tokensPerSecond(), decoding.hitRate()));
    }
    return results;
  }

  /** Ways whose caches fit in memory together, each with those that keep nothing in front. */
  private List<List<Way>> groups(List<Way> ways, double share) {
    List<Way> keepNothing = ways.stream().filter(way -> way.slots() > 0).toList();
    List<Way> others = ways.stream().filter(way -> way.slots() == 0).toList();
    long most = Math.max(1, (long) (availableBytes() / 2 / (share * allBytes)));
    List<List<Way>> groups = new ArrayList<>();
    for (int from = 0; from < others.size(); from += (int) Math.min(most, others.size())) {
      List<Way> group = new ArrayList<>(keepNothing);
      group.addAll(others.subList(from, (int) Math.min(others.size(), from + most)));
      groups.add(group);
    }
    return groups;
  }

  private static long availableBytes() {
    try (MemoryStatus status = MemoryStatus.open()) {
      return status.known() ? status.availableBytes() : Long.MAX_VALUE;
    }
  }

  private int context(Model model) {
    return protocol.context(model.config());
  }

  /**
   * Hits of the first tokens of a text, from an empty cache, one warmed by a profile of the same
   * text's later part, and after a switch of topics.
   */
  List<Warming> warming(double share) throws IOException {
    Way way = Way.keeping("", CachePolicyKind.FORWARD, Prediction.NONE, readers);
    List<Warming> results = new ArrayList<>();
    ExpertProfile recorded = protocol.profile().isPresent() ? protocol.profile().get() : record();
    results.add(warming("cold", way, share, Optional.empty(), new int[0]));
    results.add(warming("profile loaded", way, share, Optional.of(recorded), new int[0]));
    results.add(warming("topic switched", way, share, Optional.empty(), protocol.topicIds()));
    return results;
  }

  private ExpertProfile record() throws IOException {
    try (Model model = Model.open(protocol.pack(), new ModelOptions(protocol.threads()));
        Session session = model.newSession(context(model))) {
      ExpertProfile.Recorder recorder =
          new ExpertProfile.Recorder(model.config().numLayers(), model.config().numExperts());
      session.observe(recorder);
      int end = protocol.ids().length;
      int from = Math.max(protocol.tokens(), end - session.maxTokens());
      session.append(Arrays.copyOfRange(protocol.ids(), from, end));
      return recorder.profile();
    }
  }

  private Warming warming(
      String name, Way way, double share, Optional<ExpertProfile> profile, int[] before)
      throws IOException {
    List<Double> rates = new ArrayList<>();
    try (Model model = open(way, share, profile);
        Session session = model.newSession(context(model))) {
      int[] one = new int[1];
      for (int i = 0; i < Math.min(before.length, session.maxTokens()); i++) {
        one[0] = before[i];
        session.append(one);
      }
      session.truncate(0);
      for (int from = 0;
          from + StreamingProtocol.WINDOW <= protocol.tokens();
          from += StreamingProtocol.WINDOW) {
        StreamStatistics start = model.streams().orElseThrow().statistics();
        protocol.decode(session, from, StreamingProtocol.WINDOW);
        rates.add(model.streams().orElseThrow().statistics().since(start).hitRate());
      }
    }
    progress.accept("warming, %s: first window %.3f".formatted(name, rates.getFirst()));
    return new Warming(name, share, StreamingProtocol.WINDOW, rates);
  }

  /** Reads one prompt in every way that its memory allows. */
  List<Prefilling> prefilling(List<Integer> chunks) throws IOException {
    List<Prefilling> results = new ArrayList<>();
    results.add(prefill("resident", Prefill.RESIDENT, 1, ModelOptions.DEFAULT_CHUNK));
    double share = protocol.prefillShare();
    results.add(prefill("layer-grouped", Prefill.LAYER_GROUPED, share, ModelOptions.DEFAULT_CHUNK));
    for (int chunk : chunks) {
      results.add(prefill("active-only, " + chunk, Prefill.ACTIVE_ONLY, share, chunk));
      results.add(prefill("chunked, " + chunk, Prefill.CHUNKED, share, chunk));
    }
    return results;
  }

  private Prefilling prefill(String name, Prefill mode, double share, int chunk)
      throws IOException {
    Way way = Way.keeping("", CachePolicyKind.LRU, Prediction.NONE, readers);
    Streaming streaming = streaming(way, share, Optional.empty());
    ModelOptions options = new ModelOptions(protocol.threads()).with(streaming).with(mode, chunk);
    int[] prompt = Arrays.copyOf(protocol.ids(), protocol.prefillTokens());
    try (Model model = Model.open(protocol.pack(), options);
        Session session = model.newSession(context(model))) {
      UsedExperts used = new UsedExperts();
      session.observe(used);
      StreamStatistics from = model.streams().orElseThrow().statistics();
      long nanos = System.nanoTime();
      session.append(prompt);
      nanos = System.nanoTime() - nanos;
      StreamStatistics done = model.streams().orElseThrow().statistics().since(from);
      progress.accept(
          "prefill, %s: %.2f s, %.0f MB read".formatted(name, nanos / 1e9, done.bytesRead() / 1e6));
      return new Prefilling(
          name, prompt.length, nanos / 1e9, done.bytesRead(), used.count() * slotBytes, share);
    }
  }

  /** Counts experts that must be read. */
  private static final class UsedExperts implements RoutingObserver {
    private final Set<Integer> keys = new HashSet<>();

    @Override
    public boolean everyToken() {
      return false;
    }

    @Override
    public void routed(RoutedTokens routed) {
      for (int i = 0; i < routed.tokens() * routed.topK(); i++) {
        keys.add(routed.layer() * routed.numExperts() + routed.experts()[i]);
      }
    }

    long count() {
      return keys.size();
    }
  }
}
