package dev.quern.bench.peers;

import dev.quern.bench.synth.MixtralFolder;
import dev.quern.format.DType;
import dev.quern.format.FileCursor;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.model.HuggingFaceConfig;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a folder of Jlama's own quantization takes. It is safetensors with a type that the format
 * does not have: a matrix of {@code Q4} has two weights in a byte, and beside it, under its name
 * with {@code .qb}, a float32 scale for every 32 weights.
 *
 * <p>Source: github.com/tjake/Jlama, {@code SafeTensorSupport.quantizeModel}.
 */
public final class JlamaModel {
  private static final String WEIGHTS = "model.safetensors";
  private static final String SCALES = ".qb";
  private static final int MAX_HEADER_BYTES = 100_000_000;

  private JlamaModel() {}

  /**
   * @param folder of the family mixtral, of random weights
   * @param name of the model
   * @throws FormatException if a tensor of the configuration is missing
   */
  public static PeerModel read(Path folder, String name) throws IOException {
    Path description = folder.resolve(ModelSource.CONFIG_NAME);
    ModelConfig config =
        HuggingFaceConfig.of(
            description, (ObjectNode) Json.parse(description, Files.readAllBytes(description)));
    Path file = folder.resolve(WEIGHTS);
    JsonNode header = header(file);
    PeerModel.Contents contents =
        key -> {
          String tensor = MixtralFolder.name(key);
          JsonNode scales = header.path(tensor + SCALES);
          return new PeerModel.Stored(
              bytes(file, tensor, header.path(tensor))
                  + (scales.isMissingNode() ? 0 : bytes(file, tensor + SCALES, scales)),
              header.path(tensor).path("dtype").asString("unknown type"));
        };
    // It computes in float32 and keeps keys and values so.
    return PeerModel.of(folder, name, true, config, contents, DType.F32);
  }

  private static JsonNode header(Path file) throws IOException {
    try (FileCursor in = FileCursor.open(file)) {
      long bytes = in.readLong();
      long limit = Math.min(MAX_HEADER_BYTES, in.remaining());
      if (bytes < 2 || bytes > limit) {
        throw in.failure(0, "header length", "2 to " + limit, bytes, "Remove the folder");
      }
      return Json.parse(file, in.readBytes((int) bytes));
    }
  }

  private static long bytes(Path file, String tensor, JsonNode info) throws FormatException {
    JsonNode offsets = info.path("data_offsets");
    long bytes = offsets.path(1).asLong(0) - offsets.path(0).asLong(0);
    if (bytes <= 0) {
      throw FormatException.of(
          file, "tensor " + tensor, "data_offsets", "a tensor", offsets, "Remove the folder");
    }
    return bytes;
  }
}
