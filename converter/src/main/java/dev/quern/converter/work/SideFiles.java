package dev.quern.converter.work;

import dev.quern.format.AtomicFile;
import dev.quern.format.FormatException;
import dev.quern.format.gguf.GgufFile;
import dev.quern.format.gguf.GgufTokenizer;
import dev.quern.format.vocab.TokenizerFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a pack holds beside weights, so that it can be used without the model it was made from:
 * tokenizer, chat template, configuration and licence. Copied from a model's folder; made of a GGUF
 * file's metadata.
 */
public final class SideFiles {
  private static final String TOKENIZER = "tokenizer.json";
  private static final String TOKENIZER_CONFIG = "tokenizer_config.json";

  /** In the order in which they are written. */
  static final List<String> NAMES =
      List.of(
          "config.json",
          "generation_config.json",
          TOKENIZER,
          TOKENIZER_CONFIG,
          "tokenizer.model",
          "tiktoken.model",
          "special_tokens_map.json",
          "added_tokens.json",
          "vocab.json",
          "merges.txt",
          "chat_template.jinja",
          "chat_template.json",
          "LICENSE",
          "LICENSE.txt");

  /** Read when it is written: a folder's files may be large. */
  @FunctionalInterface
  private interface Content {
    byte[] read() throws IOException;
  }

  private final Map<String, Content> contents = new LinkedHashMap<>();

  private SideFiles() {}

  /**
   * @param model a folder or a GGUF file
   * @throws FormatException if the tokenizer of a GGUF file is wrong or of a kind that is not
   *     supported
   */
  public static SideFiles of(Path model) throws IOException {
    SideFiles files = new SideFiles();
    if (GgufFile.isGguf(model)) {
      files.addTokenizer(model);
    } else {
      for (String name : NAMES) {
        Path file = model.resolve(name);
        if (Files.isRegularFile(file)) {
          files.contents.put(name, () -> Files.readAllBytes(file));
        }
      }
    }
    return files;
  }

  private void addTokenizer(Path model) throws IOException {
    try (GgufFile gguf = GgufFile.open(model)) {
      if (GgufTokenizer.isIn(gguf.metadata())) {
        TokenizerFiles made = GgufTokenizer.of(gguf.metadata());
        contents.put(TOKENIZER, () -> utf8(made.tokenizerJson()));
        contents.put(TOKENIZER_CONFIG, () -> utf8(made.tokenizerConfigJson()));
      }
    }
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** Writes them; returns their names. */
  public List<String> write(Path dir) throws IOException {
    for (Map.Entry<String, Content> file : contents.entrySet()) {
      AtomicFile.write(dir.resolve(file.getKey()), file.getValue().read());
    }
    return new ArrayList<>(contents.keySet());
  }
}
