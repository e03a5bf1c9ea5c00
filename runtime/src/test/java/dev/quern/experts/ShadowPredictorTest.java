package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.format.SafetensorsWriter;
import dev.quern.format.ShadowFile;
import dev.quern.format.ShadowFile.Head;
import dev.quern.format.ShadowFile.Header;
import dev.quern.format.ShadowFile.Kind;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShadowPredictorTest {
  private static final int HIDDEN = 24;
  private static final int EXPERTS = 10;
  private static final int VOCAB = 7;
  private static final int TOKEN = 5;
  private static final int WIDTH = 19;
  private static final Header HEADER =
      new Header(
          3,
          HIDDEN,
          EXPERTS,
          2,
          VOCAB,
          TOKEN,
          WIDTH,
          List.of(
              new Head(0, 1, Kind.TWO_LAYER),
              new Head(0, 2, Kind.LINEAR),
              new Head(0, 0, Kind.TWO_LAYER),
              new Head(1, 1, Kind.LINEAR)));

  @TempDir private Path pack;

  private static ShadowFile random(long seed) {
    Random random = new Random(seed);
    Map<String, MemorySegment> tensors = new HashMap<>();
    for (SafetensorsWriter.Declared tensor : HEADER.declared()) {
      MemorySegment data = Arena.ofAuto().allocate(tensor.bytes(), 64);
      for (long at = 0; at < data.byteSize(); ) {
        float value = (float) (0.3 * random.nextGaussian());
        switch (tensor.dtype()) {
          case F16 -> {
            data.set(ValueLayout.JAVA_SHORT, at, Float.floatToFloat16(value));
            at += Short.BYTES;
          }
          case F32 -> {
            data.set(ValueLayout.JAVA_FLOAT, at, value);
            at += Float.BYTES;
          }
          default -> throw new AssertionError(tensor.dtype());
        }
      }
      tensors.put(tensor.name(), data);
    }
    return new ShadowFile(HEADER, tensors);
  }

  private ShadowPredictor open() throws IOException {
    return ShadowPredictor.open(pack, 3, HIDDEN, EXPERTS, VOCAB);
  }

  private static float[] input() {
    Random random = new Random(5);
    float[] input = new float[HIDDEN];
    for (int i = 0; i < HIDDEN; i++) {
      input[i] = (float) random.nextGaussian();
    }
    return input;
  }

  private static double half(ShadowFile file, String name, int index) {
    MemorySegment data = file.tensors().get(name);
    return Float.float16ToFloat(data.getAtIndex(ValueLayout.JAVA_SHORT, index));
  }

  private static double single(ShadowFile file, String name, int index) {
    return file.tensors().get(name).getAtIndex(ValueLayout.JAVA_FLOAT, index);
  }

  /** W [input; token] + bias, in double. */
  private static double[] affine(ShadowFile file, String at, int rows, int id) {
    float[] input = input();
    double[] sums = new double[rows];
    for (int r = 0; r < rows; r++) {
      sums[r] = single(file, at + "bias", r);
      for (int c = 0; c < HIDDEN; c++) {
        sums[r] += half(file, at + "input", r * HIDDEN + c) * input[c];
      }
      for (int c = 0; c < TOKEN; c++) {
        double token = half(file, ShadowFile.TOKENS, id * TOKEN + c);
        sums[r] += half(file, at + "token", r * TOKEN + c) * token;
      }
    }
    return sums;
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  @Test
  void headsComputeWhatTheDocumentSays() {
    ShadowFile file = random(1);
    ShadowPredictor predictor = ShadowPredictor.of(file);
    float[] found = new float[EXPERTS];

    assertTrue(predictor.predict(0, 2, input(), 6, found));
    double[] linear = affine(file, "layer.0.ahead.2.", EXPERTS, 6);
    for (int e = 0; e < EXPERTS; e++) {
      assertEquals(sigmoid(linear[e]), found[e], 1e-5); // float32 sums of 29 terms
    }

    assertTrue(predictor.predictNextToken(0, input(), 4, found));
    double[] hidden = affine(file, "layer.0.hidden.", WIDTH, 4);
    for (int e = 0; e < EXPERTS; e++) {
      double logit = single(file, "layer.0.next.bias", e);
      for (int h = 0; h < WIDTH; h++) {
        double silu = hidden[h] * sigmoid(hidden[h]);
        logit += half(file, "layer.0.next.weight", e * WIDTH + h) * silu;
      }
      assertEquals(sigmoid(logit), found[e], 1e-5);
    }
  }

  @Test
  void whatIsWrittenPredictsTheSameBits() throws IOException {
    ShadowFile file = random(2);
    file.write(pack, Json.mapper().createObjectNode());
    random(3).write(pack, Json.mapper().createObjectNode()); // in the place of another
    file.write(pack, Json.mapper().createObjectNode());
    assertTrue(ShadowFile.isIn(pack));
    try (var left = Files.list(pack)) {
      assertEquals(List.of(pack.resolve("shadow")), left.toList());
    }
    ShadowPredictor loaded = open();
    ExpertPredictor copy = loaded.copy();
    float[] expected = new float[EXPERTS];
    float[] found = new float[EXPERTS];
    for (int token = 0; token < VOCAB; token++) {
      ShadowPredictor.of(file).predict(0, 1, input(), token, expected);
      loaded.predict(0, 1, input(), token, found);
      assertArrayEquals(expected, found);
      copy.predict(0, 1, input(), token, found);
      assertArrayEquals(expected, found);
    }
    assertEquals(2, loaded.maxDistance());
    assertTrue(loaded.predictsNextToken());
    assertFalse(loaded.predict(1, 2, input(), 0, found));
    assertFalse(loaded.predict(0, 3, input(), 0, found));
    assertFalse(loaded.predictNextToken(1, input(), 0, found));
  }

  @Test
  void anyChangedByteIsRefused() throws IOException {
    random(4).write(pack, Json.mapper().createObjectNode());
    Path weights = pack.resolve("shadow/shadow.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    Random random = new Random(6);
    for (int i = 0; i < 200; i++) {
      byte[] changed = bytes.clone();
      int at = i < 100 ? i : random.nextInt(bytes.length);
      changed[at] ^= (byte) (1 << random.nextInt(8));
      Files.write(weights, changed);
      FormatException e = assertThrows(FormatException.class, this::open, "byte " + at);
      assertEquals(1, e.getMessage().lines().count());
    }
    for (int length = 0; length < bytes.length; length += 97) {
      Files.write(weights, java.util.Arrays.copyOf(bytes, length));
      assertThrows(FormatException.class, this::open, "cut at " + length);
    }
    Files.delete(weights);
    assertThrows(FormatException.class, this::open);
  }

  @Test
  void headerThatContradictsItselfIsRefused() throws IOException {
    random(4).write(pack, Json.mapper().createObjectNode());
    Path json = pack.resolve("shadow/shadow.json");
    String good = Files.readString(json);
    String[][] changes = {
      {"\"format\" : 1", "\"format\" : 2", "A newer quern wrote it"},
      {"\"layers\" : 3", "\"layers\" : 2000000000", "layers: expected 0 to 4096"},
      {"\"hiddenSize\" : 24", "\"hiddenSize\" : 4000000", "tensor 1: expected layer.0.hidden"},
      {"\"hiddenSize\" : 24", "\"hiddenSize\" : \"24\"", "hiddenSize: expected an integer"},
      {"\"topK\" : 2", "\"topK\" : 11", "topK: expected 1 to 10"},
      {"\"width\" : 19", "\"width\" : 0", "two-layer without a width"},
      {"\"distance\" : 2", "\"distance\" : 1", "layer 0, distance 1 twice"},
      {"\"distance\" : 2", "\"distance\" : 3", "distance: expected 0 to 2"},
      {"\"kind\" : \"linear\"", "\"kind\" : \"cubic\"", "expected linear or two-layer"},
      {"\"heads\"", "\"hats\"", "heads: expected an array"},
    };
    for (String[] change : changes) {
      assertTrue(good.contains(change[0]), change[0]);
      Files.writeString(json, good.replaceFirst(change[0], change[1]));
      FormatException e = assertThrows(FormatException.class, this::open, change[1]);
      assertTrue(e.getMessage().contains(change[2]), e.getMessage());
    }
  }

  @Test
  void predictorOfAnotherModelIsRefused() throws IOException {
    random(4).write(pack, Json.mapper().createObjectNode());
    FormatException e =
        assertThrows(
            FormatException.class, () -> ShadowPredictor.open(pack, 3, HIDDEN, EXPERTS, VOCAB + 1));
    assertEquals(
        "shadow.json, shadow: model: expected 3 layers, hidden size 24, 10 experts, 8 tokens, "
            + "found 3 layers, hidden size 24, 10 experts, 7 tokens. "
            + "Train a predictor for this model.",
        e.getMessage());
  }
}
