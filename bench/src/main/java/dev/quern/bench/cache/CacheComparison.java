package dev.quern.bench.cache;

import dev.quern.experts.CachePolicy;
import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.CacheShape;
import dev.quern.experts.ExpertProfile;
import dev.quern.format.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Hit rates of all policies on one trace.
 *
 * @param trace its name
 * @param percents of all experts that fit
 * @param capacities the same in experts
 * @param rows in the order of {@link CachePolicyKind}, then the default with predictors, then the
 *     bounds
 */
public record CacheComparison(
    String trace,
    int layers,
    int numExperts,
    int topK,
    int tokens,
    List<Integer> percents,
    List<Integer> capacities,
    List<Row> rows) {

  /** Best with a cache for each layer, the usual bound. */
  public static final String BELADY_EVEN = "belady (even shares)";

  /** Best with one pool. */
  public static final String BELADY = "belady (one pool)";

  /**
   * One policy.
   *
   * @param hitRates one per capacity
   */
  public record Row(String policy, List<Double> hitRates) {
    public Row {
      hitRates = List.copyOf(hitRates);
    }
  }

  public CacheComparison {
    percents = List.copyOf(percents);
    capacities = List.copyOf(capacities);
    rows = List.copyOf(rows);
  }

  /**
   * Replays the trace through every policy at every capacity.
   *
   * @param profile for the policy that needs one
   * @param predictors who tell the default policy what comes, by their names
   * @param progress told a line per policy
   */
  public static CacheComparison of(
      RoutingTrace trace,
      ExpertProfile profile,
      List<Integer> percents,
      Map<String, Replay.Predictions> predictors,
      Consumer<String> progress) {
    List<Integer> capacities = percents.stream().map(trace::capacity).toList();
    List<Row> rows = new ArrayList<>();
    for (CachePolicyKind kind : CachePolicyKind.values()) {
      progress.accept(kind.label());
      rows.add(
          new Row(
              kind.label(),
              capacities.stream()
                  .map(c -> hitRate(trace, kind, profile, Replay.Predictions.none(), c))
                  .toList()));
    }
    predictors.forEach((name, predictions) -> {
      CachePolicyKind kind = CachePolicyKind.DEFAULT;
      String label = kind.label() + ", " + name;
      progress.accept(label);
      rows.add(
          new Row(
              label,
              capacities.stream()
                  .map(c -> hitRate(trace, kind, profile, predictions, c))
                  .toList()));
    });
    progress.accept("belady");
    rows.add(
        new Row(
            BELADY_EVEN,
            capacities.stream().map(c -> Belady.evenShares(trace, c).hitRate()).toList()));
    rows.add(
        new Row(BELADY, capacities.stream().map(c -> Belady.onePool(trace, c).hitRate()).toList()));
    return new CacheComparison(
        trace.name(),
        trace.layers(),
        trace.numExperts(),
        trace.topK(),
        trace.tokens(),
        percents,
        capacities,
        rows);
  }

  private static double hitRate(
      RoutingTrace trace,
      CachePolicyKind kind,
      ExpertProfile profile,
      Replay.Predictions predictions,
      int capacity) {
    CacheShape shape = trace.shape(capacity);
    CachePolicy policy = kind.create(shape, Optional.of(profile));
    return Replay.run(trace, shape, policy, predictions).hitRate();
  }

  /** Of a policy or bound, one per capacity. */
  public List<Double> hitRates(String policy) {
    return rows.stream()
        .filter(row -> row.policy().equals(policy))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("no row '" + policy + "'"))
        .hitRates();
  }

  /** Share of the way from LRU to {@link #BELADY_EVEN}. */
  public double gapClosed(Row row, int capacity) {
    double lru = hitRates(CachePolicyKind.LRU.label()).get(capacity);
    double best = hitRates(BELADY_EVEN).get(capacity);
    return best > lru ? (row.hitRates().get(capacity) - lru) / (best - lru) : 0;
  }

  /** For a terminal: hit rates, and how far each policy comes from LRU to Belady. */
  public String table() {
    StringBuilder out = new StringBuilder();
    out.append(
        String.format(
            Locale.ROOT,
            "%s: %,d tokens, %d layers of %d experts, top %d; hit rate (way from LRU to Belady)%n",
            trace,
            tokens,
            layers,
            numExperts,
            topK));
    out.append("%-21s".formatted("capacity"));
    for (int i = 0; i < percents.size(); i++) {
      out.append("%16s".formatted(percents.get(i) + " % (" + capacities.get(i) + ")"));
    }
    out.append(System.lineSeparator());
    for (Row row : rows) {
      out.append("%-21s".formatted(row.policy()));
      for (int i = 0; i < percents.size(); i++) {
        out.append(
            String.format(
                Locale.ROOT, "%8.4f (%4.0f%%)", row.hitRates().get(i), 100 * gapClosed(row, i)));
      }
      out.append(System.lineSeparator());
    }
    return out.toString();
  }

  public String json() {
    ObjectNode root = Json.mapper().createObjectNode();
    root.put("trace", trace).put("tokens", tokens).put("layers", layers);
    root.put("numExperts", numExperts).put("topK", topK);
    ArrayNode list = root.putArray("hitRates");
    for (Row row : rows) {
      for (int i = 0; i < percents.size(); i++) {
        list.addObject()
            .put("policy", row.policy())
            .put("percent", percents.get(i))
            .put("capacity", capacities.get(i))
            .put("hitRate", row.hitRates().get(i));
      }
    }
    return Json.pretty(root);
  }
}
