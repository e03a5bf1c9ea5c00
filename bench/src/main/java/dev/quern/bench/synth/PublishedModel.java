package dev.quern.bench.synth;

import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.model.HuggingFaceConfig;
import dev.quern.model.ModelConfig;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.OptionalInt;
import tools.jackson.databind.node.ObjectNode;

/**
 * A published model whose shapes are known: the keys of its {@code config.json} that decide
 * dimensions, written down from its repository on Hugging Face, lie beside this class.
 */
public enum PublishedModel {
  /** Qwen/Qwen3-30B-A3B. */
  QWEN3_30B_A3B,
  /** openai/gpt-oss-20b, without the MXFP4 of its experts. */
  GPT_OSS_20B,
  /** openai/gpt-oss-120b, without the MXFP4 of its experts. */
  GPT_OSS_120B,
  /** mistralai/Mixtral-8x7B-v0.1. */
  MIXTRAL_8X7B,
  /** Qwen/Qwen3-Next-80B-A3B-Instruct: three layers of DeltaNet, then one of attention. */
  QWEN3_NEXT_80B_A3B,
  /** deepseek-ai/DeepSeek-V2-Lite: latent attention; the first layer is dense. */
  DEEPSEEK_V2_LITE,
  /** moonshotai/Kimi-K2-Instruct, without its FP8: latent attention; the first layer is dense. */
  KIMI_K2,
  /** zai-org/GLM-4.5-Air: the first layer is dense. */
  GLM_4_5_AIR;

  /** As {@code --like} takes it. */
  public String label() {
    String label = name().toLowerCase(Locale.ROOT).replace('_', '-');
    return this == GLM_4_5_AIR ? "glm-4.5-air" : label;
  }

  /**
   * @throws IllegalArgumentException naming the models there are
   */
  public static PublishedModel named(String label) {
    return Arrays.stream(values())
        .filter(model -> model.label().equals(label.toLowerCase(Locale.ROOT)))
        .findFirst()
        .orElseThrow(() ->
            new IllegalArgumentException(
                "no shapes of '%s' here: expected one of %s"
                    .formatted(
                        label, Arrays.stream(values()).map(PublishedModel::label).toList())));
  }

  /** The configuration as published. */
  public ModelConfig config() throws FormatException {
    return config(OptionalInt.empty(), OptionalInt.empty());
  }

  /**
   * The configuration with another number of layers, the first ones, or another vocabulary.
   *
   * @throws FormatException if no model has so many
   */
  public ModelConfig config(OptionalInt layers, OptionalInt vocabSize) throws FormatException {
    ObjectNode json = json();
    layers.ifPresent(count -> json.put("num_hidden_layers", count));
    vocabSize.ifPresent(size -> json.put("vocab_size", size));
    return HuggingFaceConfig.of(Path.of(fileName()), json);
  }

  /** {@code config.json} as published, of the keys that decide dimensions. */
  public ObjectNode json() {
    try (InputStream in = PublishedModel.class.getResourceAsStream(fileName())) {
      return (ObjectNode) Json.parse(Path.of(fileName()), in.readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException(fileName() + " belongs to this program", e);
    }
  }

  private String fileName() {
    return label() + ".json";
  }
}
