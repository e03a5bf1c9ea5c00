package dev.quern.bench.streaming;

import dev.quern.bench.streaming.StreamingResults.Memory;
import dev.quern.cli.Main;
import dev.quern.experts.CachePolicyKind;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.kv.KvType;
import dev.quern.model.ExpertStreams;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import dev.quern.model.RunMemory;
import dev.quern.model.Streaming;
import dev.quern.model.WeightSizes;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** Memory of {@code quern generate --memory}, each time in a process of its own. */
final class MemoryRuns {
  private static final int TOKENS = 256; // enough to use, and so to read, what fits
  private static final String PROMPT = "Once upon a time";
  private static final int PROMPT_TOKENS = 32; // at most

  private MemoryRuns() {}

  /**
   * Predicts as {@code quern plan} does, and runs.
   *
   * @param slotBytes of an expert in memory
   * @throws IOException if the run fails
   */
  static Memory run(Path pack, double share, int experts, long slotBytes, int threads)
      throws IOException {
    long predicted;
    try (ModelSource source = ModelSource.open(pack)) {
      ModelConfig config = source.config();
      int context = Math.min(config.maxPositions(), TOKENS + PROMPT_TOKENS);
      predicted =
          RunMemory.of(config, context, KvType.F16).bytes()
              + WeightSizes.of(source).restResident()
              + CachePolicyKind.DEFAULT.stateBytes(config.numLayers(), config.numExperts())
              + ExpertStreams.predictorBytes(pack, config, Streaming.Prediction.BEST)
              + Math.round(share * experts) * slotBytes;
    }
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(List.of("generate", "--model", pack.toString(), "--prompt", PROMPT));
    command.addAll(List.of("--memory", Long.toString(predicted), "--no-memory-watch"));
    command.addAll(List.of("--max-tokens", Integer.toString(TOKENS), "--temperature", "1"));
    command.addAll(List.of("--threads", Integer.toString(threads), "--json"));
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (process.waitFor() != 0) {
        throw new FormatException("generate --memory " + predicted + " did not run");
      }
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while generate ran", e);
    }
    String last = text.strip().substring(text.strip().lastIndexOf('\n') + 1); // after any notes
    JsonNode json = Json.mapper().readTree(last);
    long measured =
        json.path("residentAnonymousBytes").asLong() + json.path("residentFileBytes").asLong();
    return new Memory(share, predicted, measured);
  }
}
