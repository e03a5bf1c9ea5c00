package dev.quern.bench.quality;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.quern.bench.synth.PackCache;
import dev.quern.bench.synth.SyntheticPack;
import dev.quern.kernels.Activations;
import dev.quern.model.GoldenModel;
import dev.quern.model.HuggingFaceConfig;
import dev.quern.model.LogitsSink;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.Session;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A random model whose tokens are bytes; 600 of them are windows of 512 and of 88. */
class PerplexityTest {
  private static final int VOCAB_SIZE = 320;
  private static final ModelOptions INT = new ModelOptions(1);
  private static final ModelOptions F32 = INT.with(Activations.F32);
  private static final String TEXT = "Once upon a time, ".repeat(40).substring(0, 600);
  private static final int WINDOW = 512;

  /** Logits are float32: 6e-8 of a value. */
  private static final double ROUNDING = 1e-7;

  @TempDir private static Path folder;
  private static Path pack;

  @BeforeAll
  static void write() throws IOException {
    pack = Files.createDirectory(folder.resolve("pack"));
    new SyntheticPack(
            HuggingFaceConfig.read(GoldenModel.DIR.resolve("qwen3_moe").resolve("hf/config.json")),
            PackCache.everything(3),
            1)
        .write(pack, "tiny", bytes -> {});
  }

  /** What follows from the logits of each window. */
  private static double expected(ModelOptions options, boolean oneByOne, String... windows)
      throws IOException {
    double[] nll = {0};
    int predicted = 0;
    try (Model model = Model.open(pack, options)) {
      for (String window : windows) {
        int[] ids = window.chars().toArray();
        try (Session session = model.newSession(ids.length)) {
          LogitsSink sink =
              (position, logits, offset) -> {
                if (position + 1 < ids.length) {
                  nll[0] += nll(logits, offset, ids[position + 1]);
                }
              };
          read(session, ids, oneByOne, sink);
        }
        predicted += ids.length - 1;
      }
    }
    return Math.exp(nll[0] / predicted);
  }

  private static void read(Session session, int[] ids, boolean oneByOne, LogitsSink sink) {
    if (!oneByOne) {
      session.appendAll(ids, sink);
      return;
    }
    for (int position = 0; position < ids.length; position++) {
      sink.accept(position, session.append(new int[] {ids[position]}), 0);
    }
  }

  /** −ln of the probability of a token. */
  private static double nll(float[] logits, int offset, int id) {
    double sum = 0;
    for (int i = 0; i < VOCAB_SIZE; i++) {
      sum += Math.exp(logits[offset + i]);
    }
    return Math.log(sum) - logits[offset + id];
  }

  @Test
  void everyTokenOfTheWindowsButTheirFirstIsPredicted() throws IOException {
    Path text = Files.writeString(folder.resolve("long.txt"), TEXT);
    String first = TEXT.substring(0, WINDOW);
    double both = expected(F32, false, first, TEXT.substring(WINDOW));
    assertEquals(both, Perplexity.of(pack, text, 2, F32), ROUNDING * both);
    double one = expected(F32, false, first);
    assertEquals(one, Perplexity.of(pack, text, 1, F32), ROUNDING * one);
  }

  @Test
  void integerActivationsAreMeasuredAsDecodingUsesThem() throws IOException {
    String line = TEXT.substring(0, 40);
    Path text = Files.writeString(folder.resolve("short.txt"), line);
    double decoded = expected(INT, true, line);
    assertEquals(decoded, Perplexity.of(pack, text, 1, INT), ROUNDING * decoded);
    assertNotEquals(expected(F32, false, line), decoded, 1e-4 * decoded);
  }
}
