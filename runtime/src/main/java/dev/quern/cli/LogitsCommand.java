package dev.quern.cli;

import dev.quern.format.NpyWriter;
import dev.quern.model.Model;
import dev.quern.model.Session;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code quern logits}: the numbers other engines can be compared with. */
@Command(
    name = "logits",
    mixinStandardHelpOptions = true,
    description = "Write the float32 logits after each token, [tokens, vocabSize], as .npy.")
final class LogitsCommand implements Callable<Integer> {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "PATH",
      description = "a Hugging Face folder, a GGUF file or a pack")
  private Path path;

  @Option(
      names = "--ids",
      required = true,
      split = ",",
      paramLabel = "ID",
      description = "token ids, such as 1,2,3")
  private int[] ids;

  @Option(names = "--out", required = true, paramLabel = "FILE", description = "the .npy file")
  private Path out;

  @Mixin private EngineOptions engine;

  @Override
  public Integer call() throws IOException {
    try (Model model = Model.open(path, engine.options())) {
      int context = model.config().maxPositions();
      if (ids.length > context) {
        throw new IllegalArgumentException(
            "%d ids do not fit the model's context of %d".formatted(ids.length, context));
      }
      try (Session session = model.newSession(ids.length);
          NpyWriter writer = NpyWriter.create(out, ids.length, model.config().vocabSize())) {
        session.appendAll(ids, (position, logits, offset) -> write(writer, logits, offset));
        writer.finish();
      }
    }
    return 0;
  }

  private static void write(NpyWriter writer, float[] logits, int offset) {
    try {
      writer.writeRow(logits, offset);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
