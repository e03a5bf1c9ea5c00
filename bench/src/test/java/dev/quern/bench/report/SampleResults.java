package dev.quern.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Results as an evaluation of a small model would give them. */
final class SampleResults {
  private SampleResults() {}

  static Results results() {
    List<VariantResult> variants = new ArrayList<>();
    variants.add(variant("original", 16, 16, 0, 0, 1900, 230));
    double[][] losses = { // per method, at 2, 3 and 4 bits
      {0.086, 0.0100, 0.0015}, {0.120, 0.0208, 0.0044}, {0.164, 0.0222, 0.0030}
    };
    String[] methods = {"turbo", "turbo-rms", "affine"};
    double[] overhead = {0.25, 0.25, 0.5};
    for (int bits = 2; bits <= 4; bits++) {
      for (int m = 0; m < methods.length; m++) {
        variants.add(
            variant(
                methods[m],
                bits,
                bits + overhead[m],
                losses[m][bits - 2],
                0.4 * Math.pow(0.25, bits - 1),
                2000 - 30 * m,
                310 - 9 * m));
      }
      variants.add(
          variant("turbo+qjl", bits, bits + 1.3, 0.6 * losses[0][bits - 2], 0.01, 1500, 200));
    }
    Random random = new Random(7);
    float[] heavy = new float[20_000];
    float[] normal = new float[heavy.length];
    for (int i = 0; i < heavy.length; i++) {
      normal[i] = (float) random.nextGaussian();
      heavy[i] = (float) (random.nextGaussian() * (i % 10 == 0 ? 3 : 1));
    }
    return new Results(
        Results.SCHEMA_VERSION,
        new Results.Run(
            "./quern evaluate --model m --bits 2 3 4", "2026-11-21T05:00:00Z", "abc", 1),
        new Results.Model("tiny <moe>", "qwen3_moe", 6, 256, 32, 4, 9_437_184, "f00d"),
        new Results.Protocol("valid.txt", 512, 40, 201, 20_440, 1000, 512, 64),
        new Machine("A CPU", 2, 2, 24L << 30, 46e9, "Linux", "25", List.of("-Xmx2g")),
        variants,
        List.of(
            WeightHistogram.of("before rotation", "layers.1.down", heavy),
            WeightHistogram.of("after rotation", "layers.1.down", normal)));
  }

  private static VariantResult variant(
      String method, int bits, double bpw, double loss, double mse, double prefill, double decode) {
    List<VariantResult.TensorError> errors = new ArrayList<>();
    for (int layer = 0; layer < 6 && mse > 0; layer++) {
      errors.add(new VariantResult.TensorError(layer, "gate", mse * (1 + 0.02 * layer)));
      errors.add(new VariantResult.TensorError(layer, "up", mse * 0.98));
      errors.add(new VariantResult.TensorError(layer, "down", mse * (1.1 - 0.02 * layer)));
    }
    return new VariantResult(
        method,
        bits,
        bpw,
        (long) (bpw * 1_200_000),
        (long) (bpw * 1_100_000),
        40.031 * Math.exp(loss),
        loss,
        loss * 0.9,
        loss * 1.1,
        loss * 1.05,
        1 - loss,
        mse,
        prefill,
        decode,
        0.12,
        new VariantResult.Samples(List.of(1.5), List.of(0.25), List.of(prefill), List.of(decode)),
        errors);
  }
}
