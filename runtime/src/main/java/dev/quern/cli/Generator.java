package dev.quern.cli;

import dev.quern.experts.RoutingObserver;
import dev.quern.model.Model;
import dev.quern.model.Session;
import dev.quern.text.Sampler;
import dev.quern.text.Sampling;
import dev.quern.text.StopStrings;
import dev.quern.text.StreamDecoder;
import dev.quern.text.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/** Writes the continuation of a prompt, token by token. */
public final class Generator {

  /** Takes text as it comes. */
  @FunctionalInterface
  public interface TextSink {
    /**
     * @param text whole characters
     * @return whether more is wanted
     */
    boolean accept(String text);
  }

  /** Why a text ended. */
  public enum Finish {
    /** The model wrote a token that ends a text. */
    END_OF_TEXT,
    STOP_STRING,
    MAX_TOKENS,
    /** The model's context is full. */
    CONTEXT,
    /** Nobody reads any more. */
    CANCELLED
  }

  /**
   * What is wanted.
   *
   * @param ids the prompt, at least one token
   * @param stopIds tokens that end the text and are not part of it
   * @param stopStrings texts that do the same
   */
  public record Request(
      int[] ids, int maxTokens, Sampling sampling, Set<Integer> stopIds, List<String> stopStrings) {
    public Request {
      if (ids.length == 0) {
        throw new IllegalArgumentException("the prompt is empty: expected at least one token");
      }
      checkMaxTokens(maxTokens);
      stopIds = Set.copyOf(stopIds);
      stopStrings = List.copyOf(stopStrings);
    }

    /**
     * @throws IllegalArgumentException unless it is at least 1
     */
    static void checkMaxTokens(int maxTokens) {
      if (maxTokens < 1) {
        throw new IllegalArgumentException("max tokens: expected at least 1, found " + maxTokens);
      }
    }
  }

  /**
   * What came out.
   *
   * @param ids the generated tokens, without the one that ended the text
   * @param prefillNanos until the prompt's last logits were there
   * @param firstTokenNanos until the first token was chosen
   * @param decodeSteps tokens that were read one by one
   * @param decodeNanos in which they were
   * @param expertsChosen by routers, for all tokens and layers
   * @param expertsLeftOut of them, by lossy options
   * @param expertsReplaced of them, by stand-ins
   */
  public record Result(
      int[] ids,
      Finish finish,
      int promptTokens,
      long prefillNanos,
      long firstTokenNanos,
      int decodeSteps,
      long decodeNanos,
      long expertsChosen,
      long expertsLeftOut,
      long expertsReplaced) {

    public double prefillTokensPerSecond() {
      return promptTokens * 1e9 / prefillNanos;
    }

    /** 0 if only the prompt was read. */
    public double decodeTokensPerSecond() {
      return decodeSteps == 0 ? 0 : decodeSteps * 1e9 / decodeNanos;
    }
  }

  private Generator() {}

  /**
   * @param observers told what routers choose
   * @throws IllegalArgumentException if the prompt does not fit the context or the vocabularies of
   *     model and tokenizer do not fit each other
   */
  public static Result run(
      Model model,
      Tokenizer tokenizer,
      Request request,
      List<RoutingObserver> observers,
      TextSink sink) {
    int context = model.config().maxPositions();
    int promptTokens = request.ids.length;
    if (promptTokens > context) {
      throw new IllegalArgumentException(
          "the prompt has %d tokens, the model's context %d".formatted(promptTokens, context));
    }
    int wanted = (int) Math.min(context, (long) promptTokens + request.maxTokens);
    int room = Math.max(promptTokens, model.longestSession(wanted));
    try (Session session = model.newSession(room)) {
      observers.forEach(session::observe);
      return new Run(session, tokenizer, request, sink).run();
    }
  }

  /** One text in the making. */
  private static final class Run {
    private final Session session;
    private final Request request;
    private final TextSink sink;
    private final Sampler sampler;
    private final StreamDecoder decoder;
    private final StopStrings stops;
    private final int vocabSize;
    private int[] generated = new int[64];
    private int count;

    Run(Session session, Tokenizer tokenizer, Request request, TextSink sink) {
      this.session = session;
      this.request = request;
      this.sink = sink;
      sampler = new Sampler(request.sampling);
      decoder = tokenizer.streamDecoder(true);
      stops = new StopStrings(request.stopStrings);
      vocabSize = tokenizer.vocabSize();
    }

    Result run() {
      long start = System.nanoTime();
      for (int id : request.ids) {
        sampler.observe(id);
      }
      float[] logits = session.append(request.ids);
      long prefilled = System.nanoTime();
      int id = next(logits);
      long firstToken = System.nanoTime();
      int steps = 0;
      int[] one = new int[1];
      Finish finish = take(id);
      while (finish == null) {
        one[0] = id;
        id = next(session.append(one));
        steps++;
        finish = take(id);
      }
      long end = System.nanoTime();
      String rest = stops.stopped() ? "" : stops.push(decoder.finish()) + stops.finish();
      if (!rest.isEmpty()) {
        sink.accept(rest);
      }
      return new Result(
          Arrays.copyOf(generated, count),
          finish,
          request.ids.length,
          Math.max(1, prefilled - start),
          firstToken - start,
          steps,
          Math.max(1, end - firstToken),
          session.expertsChosen(),
          session.expertsLeftOut(),
          session.expertsReplaced());
    }

    private int next(float[] logits) {
      // Models pad their vocabulary: what the tokenizer does not know cannot be written.
      for (int id = vocabSize; id < logits.length; id++) {
        logits[id] = Float.NEGATIVE_INFINITY;
      }
      return sampler.next(logits);
    }

    /** Passes a token on; the reason to stop, or null to go on. */
    private Finish take(int id) {
      if (request.stopIds.contains(id)) {
        return Finish.END_OF_TEXT;
      }
      if (count == generated.length) {
        generated = Arrays.copyOf(generated, 2 * count);
      }
      generated[count++] = id;
      String text = stops.push(decoder.push(id));
      boolean wanted = text.isEmpty() || sink.accept(text);
      if (stops.stopped()) {
        return Finish.STOP_STRING;
      }
      if (!wanted) {
        return Finish.CANCELLED;
      }
      if (count == request.maxTokens) {
        return Finish.MAX_TOKENS;
      }
      return session.position() == session.maxTokens() ? Finish.CONTEXT : null;
    }
  }
}
