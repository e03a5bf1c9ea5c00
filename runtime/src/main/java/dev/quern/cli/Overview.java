package dev.quern.cli;

import dev.quern.format.DType;
import dev.quern.format.FormatException;
import dev.quern.format.RowEncoding;
import dev.quern.format.gguf.GgufFile;
import dev.quern.kv.KvType;
import dev.quern.model.ExpertStreams;
import dev.quern.model.HuggingFaceConfig;
import dev.quern.model.LeftAside;
import dev.quern.model.MemoryFit;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import dev.quern.model.RunMemory;
import dev.quern.model.Streaming;
import dev.quern.model.TensorListing;
import dev.quern.model.WeightSizes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What a model is and what it takes, from its headers alone.
 *
 * @param form what kind of files it comes in
 * @param types stored tensors by type, the most frequent first; empty where there are no weights
 * @param tokenizer empty where there is none
 * @param memory beside the weights, for the context asked for
 * @param variants ways of storing its weights, the present one first
 */
record Overview(
    Path path,
    Form form,
    ModelConfig config,
    Map<String, Integer> types,
    Optional<String> tokenizer,
    List<LeftAside> leftAside,
    RunMemory memory,
    List<Variant> variants) {

  /** The longest context that is assumed unless another is asked for. */
  private static final int DEFAULT_CONTEXT = 4096;

  private static final List<Integer> CONVERTED_BITS = List.of(4, 3, 2);

  /** What kind of files a model comes in. */
  enum Form {
    FOLDER("Hugging Face folder"),
    GGUF("GGUF"),
    PACK("quern pack"),
    CONFIGURATION("configuration alone, weights absent: sizes assume BF16");

    private final String label;

    Form(String label) {
      this.label = label;
    }

    String label() {
      return label;
    }
  }

  /**
   * One way of storing the weights.
   *
   * @param expertBits as {@code convert --bits} takes them; 0 for the model as it is
   * @param fit what a given budget holds
   */
  record Variant(int expertBits, WeightSizes weights, Optional<MemoryFit> fit) {}

  /**
   * What is asked.
   *
   * @param context positions; empty for the smaller of {@link #DEFAULT_CONTEXT} and the model's
   * @param budget bytes of memory
   */
  record Question(OptionalInt context, OptionalLong budget) {}

  /**
   * @param path a folder, a pack, a GGUF file, or a {@code config.json} with or without weights
   * @throws FormatException if it is none of them, wrong, or of an unknown family
   */
  static Overview of(Path path, Question question) throws IOException {
    try {
      return read(path, question);
    } catch (ArithmeticException e) {
      throw new FormatException(
          path + ": sizes beyond 2^63: expected a model that a machine can hold", e);
    }
  }

  private static Overview read(Path path, Question question) throws IOException {
    Optional<Path> config = configurationAlone(path);
    if (config.isPresent()) {
      ModelConfig model = HuggingFaceConfig.read(config.get());
      Builder builder = new Builder(path, Form.CONFIGURATION, model, question);
      builder.add(0, WeightSizes.of(model, DType.BF16));
      builder.addConverted(key -> new RowEncoding.Plain(DType.BF16));
      return builder.build(Map.of(), List.of());
    }
    try (ModelSource source = ModelSource.open(path)) {
      return switch (source) {
        case ModelSource.Packed pack -> {
          Builder builder = new Builder(path, Form.PACK, pack.config(), question);
          builder.add(0, WeightSizes.of(pack));
          yield builder.build(TensorListing.types(pack), List.of());
        }
        case ModelSource.Unconverted model -> {
          Form form = GgufFile.isGguf(path) ? Form.GGUF : Form.FOLDER;
          Builder builder = new Builder(path, form, model.config(), question);
          builder.add(0, WeightSizes.of(model));
          builder.addConverted(WeightSizes.encodings(model));
          yield builder.build(TensorListing.types(model), model.leftAside());
        }
      };
    }
  }

  /** The file, if the path is a configuration or a folder that holds one and no weights. */
  private static Optional<Path> configurationAlone(Path path) throws IOException {
    if (Files.isRegularFile(path)) {
      boolean json = path.getFileName().toString().endsWith(".json");
      return json ? Optional.of(path) : Optional.empty();
    }
    Path config = path.resolve(ModelSource.CONFIG_NAME);
    if (!Files.isRegularFile(config)) {
      return Optional.empty();
    }
    try (var files = Files.list(path)) {
      boolean weights =
          files
              .map(file -> file.getFileName().toString())
              .anyMatch(name ->
                  name.endsWith(".safetensors")
                      || name.endsWith(".safetensors.index.json")
                      || name.equals("quern.json")
                      || name.equals("experts"));
      return weights ? Optional.empty() : Optional.of(config);
    }
  }

  /** The parts as they come. */
  private static final class Builder {
    private final Path path;
    private final Form form;
    private final ModelConfig config;
    private final Question question;
    private final RunMemory memory;
    private final List<Variant> variants = new ArrayList<>();

    Builder(Path path, Form form, ModelConfig config, Question question) {
      this.path = path;
      this.form = form;
      this.config = config;
      this.question = question;
      int context = question.context.orElse(Math.min(DEFAULT_CONTEXT, config.maxPositions()));
      this.memory = RunMemory.of(config, context, KvType.F16);
    }

    void add(int bits, WeightSizes weights) {
      Optional<MemoryFit> fit =
          question.budget.isEmpty()
              ? Optional.empty()
              : Optional.of(
                  MemoryFit.of(
                      config,
                      weights,
                      memory,
                      ExpertStreams.predictorBytes(path, config, Streaming.Prediction.BEST),
                      question.budget.getAsLong()));
      variants.add(new Variant(bits, weights, fit));
    }

    /** Of a dense model nothing is quantized unless it is asked for. */
    void addConverted(WeightSizes.Encodings encodings) throws FormatException {
      if (config.experts().isEmpty()) {
        return;
      }
      for (int bits : CONVERTED_BITS) {
        add(bits, WeightSizes.converted(config, encodings, bits));
      }
    }

    Overview build(Map<String, Integer> types, List<LeftAside> leftAside) throws IOException {
      Path files = Files.isDirectory(path) || form == Form.GGUF ? path : parent(path);
      return new Overview(
          path, form, config, types, TokenizerKind.of(files), leftAside, memory, variants);
    }

    private static Path parent(Path file) {
      return file.toAbsolutePath().getParent();
    }
  }
}
