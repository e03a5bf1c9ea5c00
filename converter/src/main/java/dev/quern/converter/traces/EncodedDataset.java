package dev.quern.converter.traces;

import dev.quern.converter.traces.TracePart.Slice;
import dev.quern.format.FormatException;
import dev.quern.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/**
 * A dataset as token ids in a {@link TokenFile}. Every document is encoded by itself, with what the
 * tokenizer puts before a text unless windows are continuous, and followed by the end token.
 *
 * @param numDocuments of the dataset
 * @param sha256 see {@link TextDocuments#checksum}
 * @param documents those that were encoded, in order
 */
record EncodedDataset(int numDocuments, String sha256, List<Slice> documents) {
  /** What most tokenizers of base models end a document with. */
  private static final String END_OF_TEXT = "<|endoftext|>";

  /** Text has fewer characters per token: that many are encoded to find enough tokens. */
  private static final int CHARACTERS_PER_TOKEN = 8;

  /** The token that ends documents, and its text, which separates them in a file. */
  record EndToken(int id, String text) {

    /**
     * {@code <|endoftext|>} where the vocabulary has it, else the first token that ends a text.
     *
     * @throws FormatException if there is none
     */
    static EndToken of(Tokenizer tokenizer, Path model) throws FormatException {
      OptionalInt id = tokenizer.idOf(END_OF_TEXT);
      if (id.isPresent()) {
        return new EndToken(id.getAsInt(), END_OF_TEXT);
      }
      int end =
          tokenizer.stopIds().stream()
              .findFirst()
              .orElseThrow(() ->
                  new FormatException(
                      model
                          + ": the tokenizer names no token that ends a text. Set eos_token in tokenizer_config.json"));
      return new EndToken(end, new String(tokenizer.bytes(end), StandardCharsets.UTF_8));
    }
  }

  /**
   * @param vocabSize of the model
   * @param specials whether the tokenizer puts before each document what it puts before a text
   * @param maxTokens that are wanted: enough documents for them are encoded, evenly spread
   * @param file of the tokens, written
   */
  static EncodedDataset encode(
      Path dataset,
      Tokenizer tokenizer,
      EndToken end,
      int vocabSize,
      boolean specials,
      OptionalLong maxTokens,
      Path file)
      throws IOException {
    Optional<BitSet> wanted =
        maxTokens.isPresent()
            ? Optional.of(candidates(dataset, end, maxTokens.getAsLong()))
            : Optional.empty();
    List<Slice> slices = new ArrayList<>();
    try (TextDocuments documents = TextDocuments.open(dataset, end.text());
        TokenFile tokens = new TokenFile(file)) {
      int number = 0;
      for (Optional<String> text = documents.next(); text.isPresent(); text = documents.next()) {
        if (wanted.isEmpty() || wanted.get().get(number)) {
          int[] ids = withEnd(tokenizer.encode(text.get(), specials), end.id());
          check(ids, vocabSize);
          slices.add(tokens.add(number, ids));
        }
        number++;
      }
      if (number == 0) {
        throw new FormatException(dataset + ": no text. Check --dataset");
      }
      return new EncodedDataset(number, documents.checksum(), List.copyOf(slices));
    }
  }

  private static int[] withEnd(int[] ids, int end) {
    if (ids.length > 0 && ids[ids.length - 1] == end) {
      return ids; // as some tokenizers end a text by themselves
    }
    int[] longer = Arrays.copyOf(ids, ids.length + 1);
    longer[ids.length] = end;
    return longer;
  }

  private static void check(int[] ids, int vocabSize) throws FormatException {
    for (int id : ids) {
      if (id >= vocabSize) {
        throw new FormatException(
            "tokenizer: token %d: expected below %d, the model's vocabulary. Is it this model's tokenizer?"
                .formatted(id, vocabSize));
      }
    }
  }

  private static BitSet candidates(Path dataset, EndToken end, long maxTokens) throws IOException {
    List<Integer> characters = new ArrayList<>();
    try (TextDocuments documents = TextDocuments.open(dataset, end.text())) {
      for (Optional<String> text = documents.next(); text.isPresent(); text = documents.next()) {
        characters.add(text.get().length());
      }
    }
    List<Integer> even =
        IntStream.range(0, characters.size()).boxed().sorted(TracePlan.evenly()).toList();
    double left = (double) CHARACTERS_PER_TOKEN * maxTokens;
    BitSet chosen = new BitSet();
    for (int document : even) {
      if (left <= 0) {
        break;
      }
      chosen.set(document);
      left -= characters.get(document);
    }
    return chosen;
  }
}
