package dev.quern.bench.synth;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.synth.WidenedModel.Sizes;
import dev.quern.format.FormatException;
import dev.quern.kv.KvType;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.ModelSource;
import dev.quern.model.Session;
import dev.quern.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class WidenedModelTest {
  private static final Path TINY = Path.of("../datasets/tiny-moe/model");
  private static final String PROMPT =
      "Once upon a time there was a little girl who lived in a house near the woods.";

  @TempDir Path folder;

  /** Logits after every token, and the experts of every layer and token. */
  private record Run(List<float[]> logits, List<int[]> experts) {}

  private static Run run(Path path) throws IOException {
    List<float[]> logits = new ArrayList<>();
    List<int[]> experts = new ArrayList<>();
    try (Tokenizer tokenizer = Tokenizer.open(path);
        Model model = Model.open(path, new ModelOptions(1).with(KvType.F32));
        Session session = model.newSession(64)) {
      session.observe(
          routed -> experts.add(Arrays.copyOf(routed.experts(), routed.tokens() * routed.topK())));
      for (int id : tokenizer.encode(PROMPT, false)) {
        logits.add(session.append(new int[] {id}).clone());
      }
    }
    return new Run(logits, experts);
  }

  /** Copies that are no power of two have different shares. */
  @ParameterizedTest
  @CsvSource({"512,128,4", "768,192,12", "1024,64,8"})
  void aWiderModelAnswersAndRoutesAlike(int hidden, int expert, int heads) throws IOException {
    try (ModelSource tiny = ModelSource.open(TINY)) {
      new WidenedModel(tiny, new Sizes(hidden, expert, heads, 1024)).write(folder, written -> {});
    }
    Run narrow = run(TINY);
    Run wide = run(folder);
    assertEquals(narrow.experts().size(), wide.experts().size());
    for (int i = 0; i < narrow.experts().size(); i++) {
      assertArrayEquals(narrow.experts().get(i), wide.experts().get(i));
    }
    for (int i = 0; i < narrow.logits().size(); i++) {
      // Additions in another order, 6 layers of float32; logits reach 20.
      assertArrayEquals(narrow.logits().get(i), wide.logits().get(i), 2e-4f);
    }
    try (ModelSource source = ModelSource.open(folder)) {
      assertEquals(hidden, source.config().hiddenSize());
      assertEquals(1024, source.config().maxPositions());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 8, 24, 31})
  void sharesArePowersOfTwoAndSumToOne(int n) {
    float[] shares = WidenedModel.shares(n);
    float sum = 0;
    for (float share : shares) {
      assertEquals(Math.scalb(1f, Math.getExponent(share)), share);
      sum += share;
    }
    assertEquals(n, shares.length);
    assertEquals(1, sum);
  }

  @Test
  void sizesThatAreNoMultiplesAreRefused() throws IOException {
    try (ModelSource tiny = ModelSource.open(TINY)) {
      FormatException e =
          assertThrows(
              FormatException.class, () -> new WidenedModel(tiny, new Sizes(1000, 64, 4, 512)));
      assertTrue(e.getMessage().contains("hidden size: expected a multiple"), e.getMessage());
      e =
          assertThrows(
              FormatException.class, () -> new WidenedModel(tiny, new Sizes(256, 0, 4, 512)));
      assertTrue(e.getMessage().contains("expert size"), e.getMessage());
    }
  }

  @Test
  void aModelThatNoDiskHoldsIsRefusedBeforeAnythingIsWritten() throws IOException {
    try (ModelSource tiny = ModelSource.open(TINY)) {
      WidenedModel huge = new WidenedModel(tiny, new Sizes(1 << 20, 1 << 20, 4, 512));
      FormatException e =
          assertThrows(FormatException.class, () -> huge.write(folder, written -> {}));
      assertTrue(e.getMessage().contains("the disk has"), e.getMessage());
    }
    try (var files = Files.list(folder)) {
      assertEquals(0, files.count());
    }
  }
}
