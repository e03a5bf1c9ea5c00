package dev.quern.bench.synth;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.experts.ShadowPredictor;
import dev.quern.format.FormatException;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.format.ShadowFile;
import dev.quern.format.ShadowFile.Head;
import dev.quern.format.ShadowFile.Header;
import dev.quern.format.ShadowFile.Kind;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.ModelSource;
import dev.quern.model.Session;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WidenedShadowTest {
  private static final Path TINY = Path.of("../datasets/tiny-moe/model");
  private static final int LAYERS = 6;
  private static final int HIDDEN = 256;
  private static final int EXPERTS = 32;
  private static final int VOCAB = 4096;

  @TempDir private Path folder;

  /** Random, with heads of both kinds; weights so small that F16 could not divide them. */
  private static ShadowFile narrow() {
    List<Head> heads = new ArrayList<>();
    for (int layer = 0; layer < LAYERS; layer++) {
      heads.add(new Head(layer, 0, Kind.TWO_LAYER));
      if (layer < LAYERS - 1) {
        heads.add(new Head(layer, 1, Kind.LINEAR));
      }
    }
    Header header = new Header(LAYERS, HIDDEN, EXPERTS, 4, VOCAB, 64, 48, heads);
    Random random = new Random(1);
    Map<String, MemorySegment> tensors = new HashMap<>();
    for (Declared tensor : header.declared()) {
      MemorySegment data = Arena.ofAuto().allocate(tensor.bytes(), 64);
      boolean half = tensor.name().equals(ShadowFile.TOKENS) || !tensor.name().endsWith("bias");
      for (long i = 0; i < data.byteSize() / (half ? Short.BYTES : Float.BYTES); i++) {
        float value = (float) (1e-4 * random.nextGaussian() / Math.max(0.01, random.nextDouble()));
        if (half) {
          data.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(value));
        } else {
          data.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
        }
      }
      tensors.put(tensor.name(), data);
    }
    return new ShadowFile(header, tensors);
  }

  /** All predictions along a text, as the model's routers are asked. */
  private static List<float[]> predictions(Path model, ShadowPredictor predictor)
      throws IOException {
    List<float[]> all = new ArrayList<>();
    try (Model opened = Model.open(model, new ModelOptions(1));
        Session session = opened.newSession(16)) {
      session.observe(routed -> {
        float[] input = Arrays.copyOf(routed.input(), routed.hiddenSize());
        float[] found = new float[EXPERTS];
        if (predictor.predict(routed.layer(), 1, input, routed.id(0), found)) {
          all.add(found.clone());
        }
        assertTrue(predictor.predictNextToken(routed.layer(), input, routed.id(0), found));
        all.add(found);
      });
      for (int id : new int[] {17, 300, 4000, 2, 99, 1000}) {
        session.append(new int[] {id});
      }
    }
    return all;
  }

  @Test
  void itPredictsForTheWideModelWhatItPredictedForTheNarrowOne() throws IOException {
    narrow().write(folder, dev.quern.format.Json.mapper().createObjectNode());
    Path wide = folder.resolve("wide");
    try (ModelSource tiny = ModelSource.open(TINY)) {
      new WidenedModel(tiny, new WidenedModel.Sizes(768, 64, 4, 64)).write(wide, written -> {});
    }
    long bytes = WidenedShadow.write(folder, wide, 768);
    ShadowFile written = ShadowFile.read(wide);
    assertEquals(written.header().bytes(), bytes);
    assertEquals(768, written.header().hiddenSize());

    List<float[]> expected = predictions(TINY, ShadowPredictor.of(narrow()));
    List<float[]> found =
        predictions(wide, ShadowPredictor.open(wide, LAYERS, 768, EXPERTS, VOCAB));
    assertEquals(6 * 11, expected.size());
    assertEquals(expected.size(), found.size());
    for (int i = 0; i < expected.size(); i++) {
      // The wide model adds in another order: its router's inputs differ by 1e-5 or so.
      assertArrayEquals(expected.get(i), found.get(i), 2e-5f);
    }
    float spread = 0; // were they all the same, the comparison would say nothing
    for (float p : expected.getFirst()) {
      spread = Math.max(spread, Math.abs(p - expected.getFirst()[0]));
    }
    assertTrue(spread > 1e-3, "spread " + spread);
  }

  @Test
  void theSameInputSeveralTimesGivesTheSameBits() throws IOException {
    ShadowFile narrow = narrow();
    ShadowPredictor one = ShadowPredictor.of(narrow);
    ShadowPredictor three = ShadowPredictor.of(WidenedShadow.of(narrow, 3 * HIDDEN));
    Random random = new Random(2);
    float[] input = new float[HIDDEN];
    float[] repeated = new float[3 * HIDDEN];
    for (int i = 0; i < HIDDEN; i++) {
      input[i] = (float) random.nextGaussian();
      for (int copy = 0; copy < 3; copy++) {
        repeated[copy * HIDDEN + i] = input[i];
      }
    }
    float[] expected = new float[EXPERTS];
    float[] found = new float[EXPERTS];
    for (int layer = 0; layer < LAYERS - 1; layer++) {
      one.predict(layer, 1, input, 5, expected);
      three.predict(layer, 1, repeated, 5, found);
      assertArrayEquals(expected, found);
      one.predictNextToken(layer, input, 5, expected);
      three.predictNextToken(layer, repeated, 5, found);
      assertArrayEquals(expected, found);
    }
  }

  @Test
  void aWidthThatIsNoMultipleIsRefused() {
    FormatException e =
        assertThrows(FormatException.class, () -> WidenedShadow.of(narrow(), 3 * HIDDEN + 1));
    assertEquals("hidden size: expected a multiple of the shadow's 256, found 769", e.getMessage());
  }
}
