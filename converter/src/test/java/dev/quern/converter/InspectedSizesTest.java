package dev.quern.converter;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.quern.converter.plan.ConversionPlan;
import dev.quern.converter.plan.Planner;
import dev.quern.converter.plan.Precision;
import dev.quern.converter.plan.PrecisionOverride;
import dev.quern.converter.work.ProgressListener;
import dev.quern.format.Pack;
import dev.quern.format.TensorInfo;
import dev.quern.model.GoldenModel;
import dev.quern.model.ModelSource;
import dev.quern.model.WeightSizes;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What {@code inspect} says a conversion would give is what the conversion plans to write. */
class InspectedSizesTest {
  @TempDir private Path folder;

  static List<Path> models() throws IOException {
    List<Path> models = new ArrayList<>(List.of(TinyMoe.MODEL));
    for (String family : GoldenModel.families()) {
      models.add(GoldenModel.folder(family));
      models.add(GoldenModel.gguf(family));
    }
    return models;
  }

  @ParameterizedTest
  @MethodSource("models")
  void theSizesAreThoseOfThePlan(Path model) throws IOException {
    for (int bits = 2; bits <= 4; bits++) {
      Precision precision = Precision.experts(Precision.Method.TURBO, bits);
      ConversionPlan plan = Planner.plan(model, precision, TinyMoe.CHUNK_BYTES);
      try (ModelSource source = ModelSource.open(model)) {
        ModelSource.Unconverted unconverted = (ModelSource.Unconverted) source;
        WeightSizes sizes =
            WeightSizes.converted(source.config(), WeightSizes.encodings(unconverted), bits);
        assertEquals(plan.outputBytes(), sizes.bytes());
        assertEquals(plan.expertBytes(), sizes.expertBytes());
        assertEquals(plan.expertParameters(), sizes.expertWeights());
      }
    }
  }

  /** tiny-moe's head is its embedding, until they are stored at different bits. */
  @Test
  void theHeadOfATiedPackCounts() throws IOException {
    SharedSpark.start();
    List<PrecisionOverride> bits =
        Stream.of("embedding=4", "head=8").map(PrecisionOverride::parse).toList();
    Path pack = folder.resolve("pack");
    Converter.convert(
        TinyMoe.to(pack, TinyMoe.THREE_BITS.withOverrides(bits)), ProgressListener.SILENT);
    try (ModelSource source = ModelSource.open(pack)) {
      Pack files = ((ModelSource.Packed) source).pack();
      long dense = files.dense().tensors().values().stream().mapToLong(TensorInfo::bytes).sum();
      assertEquals(dense, WeightSizes.of(source).restBytes());
    }
  }
}
