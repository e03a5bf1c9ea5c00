package dev.quern.bench.cache;

import dev.quern.converter.traces.Split;
import dev.quern.converter.traces.TraceBatch;
import dev.quern.converter.traces.TraceColumn;
import dev.quern.converter.traces.TraceReader;
import dev.quern.converter.traces.TraceShape;
import dev.quern.converter.traces.Traces;
import dev.quern.experts.RoutedTokens;
import dev.quern.format.FormatException;
import dev.quern.model.Model;
import dev.quern.model.ModelConfig;
import dev.quern.model.Session;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/** Where {@link RoutingTrace}s come from. */
public final class RoutingTraces {
  private static final int BATCH_ROWS = 4096;

  private RoutingTraces() {}

  /**
   * The first tokens of one split of recorded traces, with scores if they have some.
   *
   * @param maxTokens at most
   * @throws FormatException if the split is empty or a file is wrong
   */
  public static RoutingTrace read(Traces traces, Split split, int maxTokens) throws IOException {
    TraceShape shape = traces.shape();
    int tokens = (int) Math.min(maxTokens, traces.tokens(split));
    if (tokens < 1) {
      throw new FormatException(
          "split %s: no traces. Name another with --split".formatted(split.label()));
    }
    EnumSet<TraceColumn> columns = EnumSet.of(TraceColumn.EXPERTS);
    boolean scored = shape.columns().contains(TraceColumn.SCORES);
    if (scored) {
      columns.add(TraceColumn.SCORES);
    }
    List<int[]> experts = new ArrayList<>();
    List<float[]> scores = new ArrayList<>();
    for (int layer : shape.layers()) {
      int[] chosen = new int[Math.multiplyExact(tokens, shape.topK())];
      float[] known = new float[scored ? Math.multiplyExact(tokens, shape.numExperts()) : 0];
      read(traces, split, layer, columns, tokens, chosen, known);
      experts.add(chosen);
      scores.add(known);
    }
    String name = traces.manifest().model().name() + ", " + split.label();
    return new RoutingTrace(name, shape.numExperts(), shape.topK(), tokens, experts, scores);
  }

  private static void read(
      Traces traces,
      Split split,
      int layer,
      Set<TraceColumn> columns,
      int tokens,
      int[] experts,
      float[] scores)
      throws IOException {
    int topK = traces.shape().topK();
    int numExperts = traces.shape().numExperts();
    try (TraceReader reader = traces.read(split, layer, columns, BATCH_ROWS)) {
      TraceBatch batch = reader.batch();
      int done = 0;
      while (done < tokens && reader.next()) {
        int rows = Math.min(batch.rows(), tokens - done);
        System.arraycopy(batch.experts(), 0, experts, done * topK, rows * topK);
        if (scores.length > 0) {
          System.arraycopy(batch.scores(), 0, scores, done * numExperts, rows * numExperts);
        }
        done += rows;
      }
    }
  }

  /**
   * What predictors say along the same tokens as {@link #read}, which need the column of inputs.
   *
   * @throws FormatException if the traces have no inputs
   */
  public static void read(
      Traces traces, Split split, int tokens, List<RecordedPredictions> predictions)
      throws IOException {
    TraceShape shape = traces.shape();
    if (!shape.columns().contains(TraceColumn.INPUT)) {
      throw new FormatException(
          "traces without what routers read: no predictions. Collect them with --columns input");
    }
    Set<TraceColumn> columns = EnumSet.of(TraceColumn.INPUT, TraceColumn.TOKEN);
    float[] input = new float[shape.hiddenSize()];
    for (int layer = 0; layer < shape.layers().size(); layer++) {
      try (TraceReader reader =
          traces.read(split, shape.layers().get(layer), columns, BATCH_ROWS)) {
        TraceBatch batch = reader.batch();
        int done = 0;
        while (done < tokens && reader.next()) {
          int rows = Math.min(batch.rows(), tokens - done);
          for (int row = 0; row < rows; row++) {
            System.arraycopy(batch.input(), row * input.length, input, 0, input.length);
            for (RecordedPredictions each : predictions) {
              each.record(done + row, layer, input, batch.tokens()[row]);
            }
          }
          done += rows;
        }
      }
    }
  }

  /**
   * Runs a model over windows of a text and records what its routers say.
   *
   * @param name for titles
   * @param windows token ids, each read from an empty context
   * @throws IllegalArgumentException if the model has no experts
   */
  public static RoutingTrace record(String name, Model model, List<int[]> windows) {
    return record(name, model, windows, List.of());
  }

  /** The same, also asking predictors. */
  public static RoutingTrace record(
      String name, Model model, List<int[]> windows, List<RecordedPredictions> predictions) {
    ModelConfig config = model.config();
    int[] index = new int[config.numLayers()]; // among layers with experts
    int layers = 0;
    for (int layer = 0; layer < index.length; layer++) {
      index[layer] = config.hasExperts(layer) ? layers++ : -1;
    }
    if (layers == 0) {
      throw new IllegalArgumentException(name + ": the model has no experts");
    }
    int tokens = windows.stream().mapToInt(window -> window.length).sum();
    int topK = config.topK();
    int numExperts = config.numExperts();
    List<int[]> experts = IntStream.range(0, layers).mapToObj(l -> new int[tokens * topK]).toList();
    List<float[]> scores =
        IntStream.range(0, layers).mapToObj(l -> new float[tokens * numExperts]).toList();
    int longest = windows.stream().mapToInt(window -> window.length).max().orElse(1);
    int[] base = {0};
    try (Session session = model.newSession(longest)) {
      session.observe((RoutedTokens routed) -> {
        int at = base[0] + routed.start();
        int n = routed.tokens();
        int layer = index[routed.layer()];
        System.arraycopy(routed.experts(), 0, experts.get(layer), at * topK, n * topK);
        System.arraycopy(routed.scores(), 0, scores.get(layer), at * numExperts, n * numExperts);
        for (int token = 0; token < n && !predictions.isEmpty(); token++) {
          int t = token;
          int from = t * routed.hiddenSize();
          float[] input = Arrays.copyOfRange(routed.input(), from, from + routed.hiddenSize());
          predictions.forEach(each -> each.record(at + t, layer, input, routed.id(t)));
        }
      });
      for (int[] window : windows) {
        session.truncate(0);
        session.append(window);
        base[0] += window.length;
      }
    }
    return new RoutingTrace(name, numExperts, topK, tokens, experts, scores);
  }

  /** Windows of at most maxTokens tokens together, from the start of a text. */
  public static List<int[]> first(List<int[]> windows, int maxTokens) {
    List<int[]> chosen = new ArrayList<>();
    int left = maxTokens;
    for (int[] window : windows) {
      if (left < 1) {
        break;
      }
      chosen.add(window.length <= left ? window : Arrays.copyOf(window, left));
      left -= window.length;
    }
    return chosen;
  }
}
