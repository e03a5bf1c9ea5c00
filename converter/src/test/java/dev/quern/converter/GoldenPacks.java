package dev.quern.converter;

import dev.quern.converter.plan.ConversionPlan;
import dev.quern.converter.plan.Precision;
import dev.quern.converter.work.ProgressListener;
import dev.quern.kernels.Activations;
import dev.quern.kv.KvType;
import dev.quern.model.Golden;
import dev.quern.model.GoldenModel;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import tools.jackson.databind.JsonNode;

/** Converts small models and runs what comes out. */
final class GoldenPacks {
  /** The same products in another order; the logits' standard deviation is 2. */
  static final float TOLERANCE = 1e-4f;

  /**
   * Of the hybrid models, whose states add up over all tokens (1.6e-4 was seen), and of gpt_oss
   * (1.2e-4).
   */
  private static final float WIDE_TOLERANCE = 2e-4f;

  static float tolerance(String family) {
    return switch (family) {
      case "qwen3_next", "qwen3_5_moe", "gpt_oss" -> WIDE_TOLERANCE;
      default -> TOLERANCE;
    };
  }

  private GoldenPacks() {}

  /** Everything that can be quantized at one width. */
  static Precision everything(Precision.Method method, int bits, boolean rotated, boolean qjl) {
    Precision.Scales scales =
        method == Precision.Method.TURBO ? Precision.Scales.U4 : Precision.Scales.F16;
    return with(method, scales, Precision.DEFAULT_GROUP_SIZE, rotated, qjl, bits);
  }

  static Precision with(
      Precision.Method method,
      Precision.Scales scales,
      int groupSize,
      boolean rotated,
      boolean qjl,
      int bits) {
    return new Precision(
        method,
        scales,
        groupSize,
        rotated,
        qjl,
        7,
        bits,
        bits,
        bits,
        bits,
        OptionalInt.of(bits),
        List.of());
  }

  static ConvertResult convert(Path model, Path out, Precision precision) throws IOException {
    SharedSpark.start();
    return Converter.convert(
        new ConvertOptions(
            model,
            out,
            precision,
            SharedSpark.MASTER,
            true,
            false,
            ConversionPlan.DEFAULT_CHUNK_BYTES),
        ProgressListener.SILENT);
  }

  /** Logits after every token of a sequence, [tokens, vocabSize]. */
  static float[] logits(Path model, int[] ids) throws IOException {
    try (Model opened =
        Model.open(model, new ModelOptions(2).with(Activations.F32).with(KvType.F32))) {
      return Golden.allLogits(opened, ids);
    }
  }

  /** The ids of a sequence of a golden model. */
  static int[] ids(String family, String sequence) throws IOException {
    JsonNode sequences = GoldenModel.json(family).get("sequences");
    return Golden.ids(sequences.get(sequence).get("row_ids"));
  }
}
