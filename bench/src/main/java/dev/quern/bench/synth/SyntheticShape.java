package dev.quern.bench.synth;

import java.util.List;
import java.util.Locale;

/**
 * Layer shapes of a published model, to be filled with random weights.
 *
 * @param name as {@code --like} takes it
 * @param layers as published; a synthetic model usually has fewer
 * @param vocabSize as published
 */
public record SyntheticShape(
    String name,
    int hiddenSize,
    int layers,
    int heads,
    int kvHeads,
    int headDim,
    int experts,
    int topK,
    int expertSize,
    int vocabSize) {

  /** From Qwen/Qwen3-30B-A3B's config.json. */
  public static final SyntheticShape QWEN3_30B_A3B =
      new SyntheticShape("qwen3-30b-a3b", 2048, 48, 32, 4, 128, 128, 8, 768, 151_936);

  /** From Qwen/Qwen3-235B-A22B's config.json. */
  public static final SyntheticShape QWEN3_235B_A22B =
      new SyntheticShape("qwen3-235b-a22b", 4096, 94, 64, 4, 128, 128, 8, 1536, 151_936);

  private static final List<SyntheticShape> ALL = List.of(QWEN3_30B_A3B, QWEN3_235B_A22B);

  public SyntheticShape {
    positive("hidden size", hiddenSize);
    positive("layers", layers);
    positive("heads", heads);
    positive("key/value heads", kvHeads);
    positive("head size", headDim);
    positive("experts", experts);
    positive("top-k", topK);
    positive("expert size", expertSize);
    if (heads % kvHeads != 0) {
      throw new IllegalArgumentException(
          "%d heads do not divide among %d key/value heads".formatted(heads, kvHeads));
    }
    if (topK > experts) {
      throw new IllegalArgumentException("top-%d of %d experts".formatted(topK, experts));
    }
    if (vocabSize <= ByteTokenizer.BYTES) {
      throw new IllegalArgumentException(
          "vocabulary of %d: expected more than %d, the bytes"
              .formatted(vocabSize, ByteTokenizer.BYTES));
    }
  }

  private static void positive(String what, int value) {
    if (value < 1) {
      throw new IllegalArgumentException("%s of %d: expected at least 1".formatted(what, value));
    }
  }

  /**
   * @throws IllegalArgumentException naming the shapes there are
   */
  public static SyntheticShape named(String name) {
    return ALL.stream()
        .filter(shape -> shape.name().equals(name.toLowerCase(Locale.ROOT)))
        .findFirst()
        .orElseThrow(() ->
            new IllegalArgumentException(
                "no shapes of '%s' here: expected one of %s".formatted(name, names())));
  }

  /** What {@link #named} knows. */
  public static List<String> names() {
    return ALL.stream().map(SyntheticShape::name).toList();
  }

  public SyntheticShape withLayers(int count) {
    return new SyntheticShape(
        name, hiddenSize, count, heads, kvHeads, headDim, experts, topK, expertSize, vocabSize);
  }

  public SyntheticShape withExperts(int count) {
    return new SyntheticShape(
        name,
        hiddenSize,
        layers,
        heads,
        kvHeads,
        headDim,
        count,
        Math.min(topK, count),
        expertSize,
        vocabSize);
  }

  public SyntheticShape withVocabSize(int size) {
    return new SyntheticShape(
        name, hiddenSize, layers, heads, kvHeads, headDim, experts, topK, expertSize, size);
  }
}
