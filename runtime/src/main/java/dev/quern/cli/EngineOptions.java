package dev.quern.cli;

import dev.quern.kernels.Activations;
import dev.quern.kv.KvType;
import dev.quern.model.ModelOptions;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Options of how a model is computed. */
public final class EngineOptions {
  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "default: one per core; results do not depend on it")
  private Optional<Integer> threads;

  @Option(
      names = "--activations",
      paramLabel = "f32|int",
      description = {
        "what quantized matrices are multiplied with: products rounded to integers and looked up",
        "(int, the default, faster), or float32"
      })
  private Optional<Activations> activations;

  @Option(
      names = "--kv-type",
      paramLabel = "f16|f32",
      description = "how keys and values of earlier tokens are kept (f16, half the memory)")
  private Optional<KvType> kvType;

  /** What is not said is as {@link ModelOptions#defaults}. */
  public ModelOptions options() {
    ModelOptions options = threads.map(ModelOptions::new).orElseGet(ModelOptions::defaults);
    options = activations.map(options::with).orElse(options);
    return kvType.map(options::with).orElse(options);
  }
}
