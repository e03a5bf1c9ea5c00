package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.DType;
import dev.quern.format.FormatException;
import dev.quern.kv.KvType;
import dev.quern.model.QuantizedFolders.Encoding;
import dev.quern.model.RewrittenFolder.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Folders whose matrices are quantized already, against independent decoders. */
class QuantizedSafetensorsTest {
  private static final String FP8 = "{\"quant_method\": \"fp8\", \"weight_block_size\": [%d, %d]}";
  private static final String COMPRESSED =
      "{\"quant_method\": \"compressed-tensors\", \"format\": \"%s\", \"config_groups\":"
          + " {\"group_0\": {\"weights\": {\"num_bits\": %d, \"type\": \"%s\","
          + " \"symmetric\": true}}}}";

  @TempDir private Path temp;

  /** Every matrix but embedding, head and router, as hubs do. */
  private static boolean isProjection(String name) {
    return name.contains("_proj") && !name.endsWith("bias");
  }

  static Stream<Arguments> encodings() {
    String int4 = COMPRESSED.formatted("pack-quantized", 4, "int");
    String float8 = COMPRESSED.formatted("float-quantized", 8, "float");
    Encoding deepseek = new Encoding.Blocks(128, 128, "_scale_inv", DType.F32);
    Encoding odd = new Encoding.Blocks(96, 80, "_scale_inv", DType.BF16);
    return Stream.of(
        Arguments.of("deepseek_v3", false, deepseek, FP8.formatted(128, 128)),
        Arguments.of("qwen3_moe", false, odd, FP8.formatted(96, 80)),
        Arguments.of("qwen3_moe", true, odd, FP8.formatted(96, 80)),
        Arguments.of("qwen3_moe", false, new Encoding.Rows(DType.BF16), float8),
        Arguments.of("qwen3_moe", true, new Encoding.Rows(DType.F32), float8),
        Arguments.of("qwen3_moe", false, new Encoding.Whole(), float8),
        Arguments.of("qwen3_moe", true, new Encoding.Whole(), float8),
        Arguments.of("qwen3_moe", false, new Encoding.Int4(32), int4),
        Arguments.of("deepseek_v3", false, new Encoding.Int4(32), int4),
        Arguments.of("qwen3_moe", false, new Encoding.Int4(128), int4));
  }

  @ParameterizedTest
  @MethodSource("encodings")
  void weightsAndLogitsAreThoseOfTheDecodedFolder(
      String family, boolean stacked, Encoding encoding, String config) throws IOException {
    QuantizedFolders.Pair pair = pair(family, stacked, encoding, config);
    try (ModelSource quantized = ModelSource.open(pair.quantized());
        ModelSource plain = ModelSource.open(pair.plain())) {
      for (TensorKey key : plain.config().tensorKeys().toList()) {
        assertArrayEquals(plain.values(key), quantized.values(key), key.describe());
      }
      assertEquals(List.of(), ((ModelSource.Unconverted) quantized).leftAside(), "scales are used");
    }
    int[] ids = {3, 1, 69, 41, 5, 9, 2, 6, 53, 58, 0};
    try (Model quantized = Model.open(pair.quantized(), new ModelOptions(2).with(KvType.F32));
        Model plain = Model.open(pair.plain(), new ModelOptions(2).with(KvType.F32))) {
      assertArrayEquals(Golden.allLogits(plain, ids), Golden.allLogits(quantized, ids), 1e-4f);
    }
  }

  private QuantizedFolders.Pair pair(
      String family, boolean stacked, Encoding encoding, String config) throws IOException {
    RewrittenFolder folder = RewrittenFolder.of(GoldenModel.folder(family));
    if (stacked) {
      stackExperts(folder);
    }
    return QuantizedFolders.write(
        folder, temp, QuantizedSafetensorsTest::isProjection, encoding, config);
  }

  /** As newer versions of transformers save them: [experts, gate and up, hidden]. */
  private static void stackExperts(RewrittenFolder folder) {
    int experts = folder.config().get("num_experts").asInt();
    int layers = folder.config().get("num_hidden_layers").asInt();
    for (int layer = 0; layer < layers; layer++) {
      String prefix = "model.layers." + layer + ".mlp.experts.";
      List<Tensor> gateUp = new ArrayList<>();
      List<Tensor> down = new ArrayList<>();
      for (int e = 0; e < experts; e++) {
        gateUp.add(folder.tensors().remove(prefix + e + ".gate_proj.weight"));
        gateUp.add(folder.tensors().remove(prefix + e + ".up_proj.weight"));
        down.add(folder.tensors().remove(prefix + e + ".down_proj.weight"));
      }
      folder.tensors().put(prefix + "gate_up_proj", stack(experts, gateUp));
      folder.tensors().put(prefix + "down_proj", stack(experts, down));
    }
  }

  private static Tensor stack(int experts, List<Tensor> parts) {
    int bytes = parts.getFirst().data().length;
    byte[] data = new byte[parts.size() * bytes];
    for (int i = 0; i < parts.size(); i++) {
      System.arraycopy(parts.get(i).data(), 0, data, i * bytes, bytes);
    }
    List<Long> shape = parts.getFirst().shape();
    long rows = shape.getFirst() * parts.size() / experts;
    return new Tensor(
        parts.getFirst().dtype(), List.of((long) experts, rows, shape.getLast()), data);
  }

  /** Blocks and scales of the folder, straight from their definition, against both readers. */
  @Test
  void mxfp4OfFolderAndGgufIsTheSameAndAsDefined() throws IOException {
    Map<String, Tensor> tensors = RewrittenFolder.of(GoldenModel.folder("gpt_oss")).tensors();
    try (ModelSource folder = ModelSource.open(GoldenModel.folder("gpt_oss"));
        ModelSource gguf = ModelSource.open(GoldenModel.gguf("gpt_oss"))) {
      int checked = 0;
      for (TensorKey key : folder.config().tensorKeys().toList()) {
        if (key.role().scope() == TensorRole.Scope.EXPERT) {
          float[] expected = mxfp4(tensors, key, folder.config());
          assertArrayEquals(expected, folder.values(key), key.describe());
          assertArrayEquals(expected, gguf.values(key), key.describe());
          checked++;
        }
      }
      assertTrue(checked >= 12, checked + " matrices");
    }
  }

  private static float[] mxfp4(Map<String, Tensor> tensors, TensorKey key, ModelConfig config) {
    boolean down = key.role() == TensorRole.EXPERT_DOWN;
    String name =
        "model.layers.%d.mlp.experts.%s"
            .formatted(key.layer(), down ? "down_proj" : "gate_up_proj");
    byte[] blocks = tensors.get(name + "_blocks").data();
    byte[] scales = tensors.get(name + "_scales").data();
    int rows = config.shape(key).getFirst().intValue();
    int cols = config.shape(key).getLast().intValue();
    float[] values = new float[rows * cols];
    for (int r = 0; r < rows; r++) {
      // gate and up lie in alternating rows
      int stored =
          down
              ? key.expert() * rows + r
              : key.expert() * 2 * rows + 2 * r + (key.role() == TensorRole.EXPERT_UP ? 1 : 0);
      for (int c = 0; c < cols; c++) {
        int at = stored * cols + c;
        int code = blocks[at / 2] >> (c % 2 == 0 ? 0 : 4) & 0xF;
        int exponent = code >> 1 & 3;
        double magnitude =
            exponent == 0 ? (code & 1) * 0.5 : (1 + (code & 1) * 0.5) * Math.pow(2, exponent - 1);
        int scale = Byte.toUnsignedInt(scales[at / 32]);
        values[r * cols + c] =
            (float) ((code < 8 ? magnitude : -magnitude) * Math.pow(2, scale - 127));
      }
    }
    return values;
  }

  private static final String QUERY = "model.layers.0.self_attn.q_proj.weight";

  private void assertRefused(
      Encoding encoding, String config, Consumer<RewrittenFolder> damage, String... expected)
      throws IOException {
    QuantizedFolders.Pair pair = pair("qwen3_moe", false, encoding, config);
    RewrittenFolder folder = RewrittenFolder.of(pair.quantized());
    damage.accept(folder);
    Path damaged = folder.write(temp.resolve("damaged"));
    FormatException e =
        assertThrows(FormatException.class, () -> ModelSource.open(damaged).close());
    for (String part : expected) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }

  private static Tensor zeros(DType dtype, Long... shape) {
    long elements = 1;
    for (long size : shape) {
      elements *= size;
    }
    return new Tensor(dtype, List.of(shape), new byte[Math.toIntExact(dtype.bytes(elements))]);
  }

  @ParameterizedTest
  @CsvSource({"2, 3", "3, 2", "256, 2", "6, 1", "1, 6", "2, 2"})
  void scalesOfAnotherShapeAreRefused(long rows, long cols) throws IOException {
    // q_proj is [256, 256]: blocks of 96 × 80 are 3 rows of 4
    assertRefused(
        new Encoding.Blocks(96, 80, "_scale_inv", DType.F32),
        FP8.formatted(96, 80),
        folder -> folder.tensors().put(QUERY + "_scale_inv", zeros(DType.F32, rows, cols)),
        "model.safetensors, tensor '" + QUERY + "_scale_inv'",
        "shape of scales: expected [",
        "found [" + rows + ", " + cols + "]");
  }

  @Test
  void missingScalesAreRefused() throws IOException {
    assertRefused(
        new Encoding.Blocks(96, 80, "_scale_inv", DType.F32),
        FP8.formatted(96, 80),
        folder -> folder.tensors().remove(QUERY + "_scale_inv"),
        "tensor '" + QUERY + "'",
        "scales: expected tensor " + QUERY + "_scale_inv, found none");
  }

  @Test
  void missingScalesOfInt4AreRefused() throws IOException {
    assertRefused(
        new Encoding.Int4(32),
        COMPRESSED.formatted("pack-quantized", 4, "int"),
        folder -> folder.tensors().remove(QUERY + "_scale"),
        "scales: expected tensor " + QUERY + "_scale, found none");
  }

  @Test
  void scalesThatAreNoNumbersAreRefused() throws IOException {
    assertRefused(
        new Encoding.Blocks(96, 80, "_scale_inv", DType.F32),
        FP8.formatted(96, 80),
        folder -> folder.tensors().put(QUERY + "_scale_inv", zeros(DType.U8, 3L, 4L)),
        "dtype of scales: expected F32",
        "found U8");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "_zero_point | symmetric weights in their order",
        "_g_idx | symmetric weights in their order",
      })
  void weightsThatAreNotSymmetricOrInOrderAreRefused(String suffix, String message)
      throws IOException {
    assertRefused(
        new Encoding.Int4(32),
        COMPRESSED.formatted("pack-quantized", 4, "int"),
        folder -> folder.tensors().put(QUERY + suffix, zeros(DType.I32, 256L, 8L)),
        QUERY + "_packed",
        message,
        "found " + QUERY + suffix);
  }

  @Test
  void packedIntegersOfAnotherTypeAreRefused() throws IOException {
    String config = COMPRESSED.formatted("pack-quantized", 4, "int");
    assertRefused(
        new Encoding.Int4(32),
        config,
        folder -> folder.tensors().put(QUERY + "_packed", zeros(DType.U8, 256L, 32L)),
        "dtype: expected I32, found U8");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'quant_method': 'gptq', 'bits': 4} | quant_method",
        "{'quant_method': 'awq', 'bits': 4} | quant_method",
        "{'quant_method': 'bitsandbytes', 'load_in_4bit': true} | quant_method",
        "{'quant_method': 'fp8', 'weight_block_size': [128, 0]} | weight_block_size",
        "{'quant_method': 'fp8', 'weight_block_size': 128} | weight_block_size",
        "{'quant_method': 'compressed-tensors', 'format': 'nvfp4-pack-quantized'} | format",
        "{'quant_method': 'compressed-tensors', 'format': 'pack-quantized', 'config_groups': {'g': {'weights': {'num_bits': 8}}}} | num_bits",
        "{'quant_method': 'compressed-tensors', 'format': 'pack-quantized', 'config_groups': {'g': {'weights': {'num_bits': 4, 'symmetric': false}}}} | symmetric",
        "{'quant_method': 'compressed-tensors', 'format': 'float-quantized', 'config_groups': {'g': {'weights': {'num_bits': 8, 'type': 'int'}}}} | type",
      })
  void otherQuantizationsAreRefusedByTheirKey(String config, String key) throws IOException {
    RewrittenFolder folder = RewrittenFolder.of(GoldenModel.folder("qwen3_moe"));
    folder.config().set("quantization_config", Golden.parse(config.replace('\'', '"')));
    Path path = folder.write(temp.resolve("folder"));
    FormatException e = assertThrows(FormatException.class, () -> ModelSource.open(path).close());
    assertTrue(e.getMessage().startsWith("config.json, key '" + key + "'"), e.getMessage());
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }
}
