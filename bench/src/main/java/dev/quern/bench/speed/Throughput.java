package dev.quern.bench.speed;

import dev.quern.model.Model;
import dev.quern.model.Session;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Tokens per second of one model, sample by sample.
 *
 * @param prefill of a prompt read in one batch
 * @param decode of tokens read one by one after a prompt, as generation does
 */
public record Throughput(List<Double> prefill, List<Double> decode) {
  public Throughput {
    prefill = List.copyOf(prefill);
    decode = List.copyOf(decode);
  }

  /**
   * How much is measured.
   *
   * @param prefillTokens of the prompt
   * @param decodeTokens read one by one after {@link #decodePromptTokens}
   * @param repetitions at least 1, after some that do not count
   */
  public record Plan(int prefillTokens, int decodeTokens, int repetitions) {
    private static final int MAX_DECODE_PROMPT = 64;

    public Plan {
      if (prefillTokens < 1 || decodeTokens < 1 || repetitions < 1) {
        throw new IllegalArgumentException(
            "speed: %d prefill tokens, %d decode tokens, %d repetitions"
                .formatted(prefillTokens, decodeTokens, repetitions));
      }
    }

    /** 512 and 64 tokens where the context is long enough, less elsewhere. */
    public static Plan within(int maxPositions, int repetitions) {
      int decode = Math.clamp(maxPositions / 4, 1, 64);
      return new Plan(Math.min(512, maxPositions), decode, repetitions);
    }

    int decodePromptTokens() {
      return Math.min(prefillTokens, MAX_DECODE_PROMPT);
    }

    int sessionTokens() {
      return Math.max(prefillTokens, decodePromptTokens() + decodeTokens);
    }
  }

  /**
   * Measures all models in turns, so that a machine that slows down slows all of them, each warmed
   * up until it gets no faster, or for a second per repetition.
   *
   * @param text at least one id; repeated as often as needed
   */
  public static List<Throughput> measure(List<Model> models, int[] text, Plan plan) {
    List<List<Double>> prefill = new ArrayList<>();
    List<List<Double>> decode = new ArrayList<>();
    List<Session> sessions = new ArrayList<>();
    for (Model model : models) {
      prefill.add(new ArrayList<>());
      decode.add(new ArrayList<>());
      sessions.add(model.newSession(plan.sessionTokens()));
    }
    int[] ids = new int[plan.sessionTokens()];
    Arrays.setAll(ids, i -> text[i % text.length]);
    sessions.forEach(session -> warmUp(session, ids, plan));
    for (int repetition = 0; repetition < plan.repetitions(); repetition++) {
      for (int m = 0; m < models.size(); m++) {
        prefill.get(m).add(prefill(sessions.get(m), ids, plan));
        decode.get(m).add(decode(sessions.get(m), ids, plan));
      }
    }
    sessions.forEach(Session::close);
    List<Throughput> results = new ArrayList<>();
    for (int m = 0; m < models.size(); m++) {
      results.add(new Throughput(prefill.get(m), decode.get(m)));
    }
    return results;
  }

  private static void warmUp(Session session, int[] ids, Plan plan) {
    WarmUp warmUp = new WarmUp(plan.repetitions());
    while (!warmUp.isOver()) {
      long start = System.nanoTime();
      prefill(session, ids, plan);
      decode(session, ids, plan);
      warmUp.add(System.nanoTime() - start);
    }
  }

  private static double prefill(Session session, int[] ids, Plan plan) {
    session.truncate(0);
    int[] prompt = Arrays.copyOf(ids, plan.prefillTokens());
    long start = System.nanoTime();
    session.append(prompt);
    return plan.prefillTokens() / seconds(start);
  }

  private static double decode(Session session, int[] ids, Plan plan) {
    session.truncate(0);
    session.append(Arrays.copyOf(ids, plan.decodePromptTokens()));
    int[] next = new int[1];
    long start = System.nanoTime();
    for (int i = 0; i < plan.decodeTokens(); i++) {
      next[0] = ids[plan.decodePromptTokens() + i];
      session.append(next);
    }
    return plan.decodeTokens() / seconds(start);
  }

  private static double seconds(long startNanos) {
    return (System.nanoTime() - startNanos) / 1e9;
  }

  public double medianPrefill() {
    return median(prefill);
  }

  public double medianDecode() {
    return median(decode);
  }

  /**
   * The middle one, or the mean of the middle two.
   *
   * @param samples at least one
   */
  public static double median(List<Double> samples) {
    List<Double> sorted = samples.stream().sorted().toList();
    int n = sorted.size();
    return (sorted.get((n - 1) / 2) + sorted.get(n / 2)) / 2;
  }
}
