package dev.quern.format.gguf;

import dev.quern.format.FormatException;
import dev.quern.format.vocab.AddedToken;
import dev.quern.format.vocab.Merge;
import dev.quern.format.vocab.Piece;
import dev.quern.format.vocab.PreTokenizer;
import dev.quern.format.vocab.SentencePieces;
import dev.quern.format.vocab.SpecialTokens;
import dev.quern.format.vocab.TokenizerFiles;
import dev.quern.format.vocab.Vocabulary;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The tokenizer in a GGUF file: its {@code tokenizer.*} keys turned into the files that Hugging
 * Face's library reads.
 *
 * <p>Source: github.com/ggml-org/ggml, docs/gguf.md, "Tokenizer"; defaults where a key is absent
 * are those of github.com/ggml-org/llama.cpp, src/llama-vocab.cpp.
 */
public final class GgufTokenizer {
  private static final String MODEL = "tokenizer.ggml.model";
  private static final String PRE = "tokenizer.ggml.pre";
  private static final String TOKENS = "tokenizer.ggml.tokens";
  private static final String MERGES = "tokenizer.ggml.merges";
  private static final String SCORES = "tokenizer.ggml.scores";
  private static final String KINDS = "tokenizer.ggml.token_type";
  private static final String SPACE_PREFIX = "tokenizer.ggml.add_space_prefix";
  private static final String ADD_BOS = "tokenizer.ggml.add_bos_token";
  private static final String ADD_EOS = "tokenizer.ggml.add_eos_token";
  private static final String CHAT_TEMPLATE = "tokenizer.chat_template";

  /** Names that stand for no tokenizer. */
  private static final Set<String> NO_TOKENIZER = Set.of("none", "no_vocab");

  private static final int MAX_TOKENS = 1 << 22; // the largest known vocabulary has 262 144

  /** Role in tokenizer_config.json to the key of its id. */
  private static final Map<String, String> ROLES =
      Map.of(
          SpecialTokens.BOS,
          "tokenizer.ggml.bos_token_id",
          SpecialTokens.EOS,
          "tokenizer.ggml.eos_token_id",
          "unk_token",
          "tokenizer.ggml.unknown_token_id",
          "pad_token",
          "tokenizer.ggml.padding_token_id");

  /** What a SentencePiece model means without these keys. */
  private static final Map<String, Integer> SENTENCE_PIECE_ROLES =
      Map.of(SpecialTokens.BOS, 1, SpecialTokens.EOS, 2, "unk_token", 0);

  private static final List<String> END_KEYS =
      List.of(
          "tokenizer.ggml.eos_token_id",
          "tokenizer.ggml.eot_token_id",
          "tokenizer.ggml.eom_token_id");

  /**
   * Control tokens that end a text in whatever model has them: a GGUF names one EOS token, where
   * generation_config.json lists several.
   */
  private static final Set<String> END_OF_TEXT =
      Set.of(
          "<|endoftext|>",
          "<|end_of_text|>",
          "<｜end▁of▁sentence｜>", // DeepSeek
          "[EOS]"); // Kimi

  private final GgufMetadata metadata;
  private final List<String> tokens;
  private final Map<String, Integer> ids;
  private final List<Piece.Kind> kinds;

  private GgufTokenizer(GgufMetadata metadata) throws FormatException {
    this.metadata = metadata;
    tokens = metadata.strings(TOKENS);
    if (tokens.isEmpty() || tokens.size() > MAX_TOKENS) {
      throw failure(TOKENS, "length", "1 to " + MAX_TOKENS, tokens.size(), "");
    }
    ids = SentencePieces.checkDistinct(metadata.file(), tokens);
    kinds = kinds();
  }

  /** Whether the file has a tokenizer of some kind; some hold weights alone. */
  public static boolean isIn(GgufMetadata metadata) throws FormatException {
    return !NO_TOKENIZER.contains(metadata.string(MODEL, "none"));
  }

  /**
   * @throws FormatException if a key is missing or wrong, or the file has a kind of tokenizer that
   *     is not supported
   */
  public static TokenizerFiles of(GgufMetadata metadata) throws FormatException {
    String model = metadata.string(MODEL);
    return switch (model) {
      case "gpt2" -> new GgufTokenizer(metadata).byteLevel();
      case "llama" -> new GgufTokenizer(metadata).sentencePiece();
      default ->
          throw FormatException.of(
              metadata.file(),
              "key '" + MODEL + "'",
              "tokenizer",
              "gpt2 (byte-level BPE) or llama (SentencePiece BPE)",
              model,
              "Give the model as a Hugging Face folder with its tokenizer.json.");
    };
  }

  private TokenizerFiles byteLevel() throws FormatException {
    PreTokenizer pre = preTokenizer();
    checkSpelling();
    boolean byRank = pre == PreTokenizer.KIMI_K2 && !metadata.has(MERGES);
    List<Merge> merges = byRank ? mergesByRank() : merges(metadata.strings(MERGES));
    Vocabulary vocabulary = new Vocabulary.ByteLevel(tokens, added(), merges, pre);
    return TokenizerFiles.of(vocabulary, special(Map.of(), pre.addsBos()));
  }

  /** Bytes that are no UTF-8 arrive as U+FFFD, which spells no byte. */
  private void checkSpelling() throws FormatException {
    for (int id = 0; id < tokens.size(); id++) {
      if (kinds.get(id) == Piece.Kind.NORMAL && tokens.get(id).indexOf('\uFFFD') >= 0) {
        throw failure(TOKENS, "element " + id, "UTF-8", tokens.get(id), "");
      }
    }
  }

  private PreTokenizer preTokenizer() throws FormatException {
    String name = metadata.string(PRE, "default");
    Optional<PreTokenizer> pre = PreTokenizer.named(name);
    if (pre.isEmpty()) {
      throw failure(
          PRE,
          "pre-tokenizer",
          "a known name such as " + PreTokenizer.nearestName(name),
          name,
          "Give the model as a Hugging Face folder with its tokenizer.json.");
    }
    return pre.get();
  }

  /** Each is two tokens with a space between; the first space that is not the first character. */
  private List<Merge> merges(List<String> lines) throws FormatException {
    List<Merge> merges = new ArrayList<>(lines.size());
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i);
      int space = line.indexOf(' ', 1);
      if (space < 0 || space == line.length() - 1) {
        throw failure(MERGES, "element " + i, "two tokens with a space between", line, "");
      }
      Merge merge = new Merge(line.substring(0, space), line.substring(space + 1));
      for (String part : List.of(merge.left(), merge.right(), merge.left() + merge.right())) {
        if (!ids.containsKey(part)) {
          throw failure(MERGES, "element " + i + ", '" + line + "'", "tokens", part, "");
        }
      }
      merges.add(merge);
    }
    return merges;
  }

  /** Older files of Kimi K2 have no merges: the smaller of two ids is merged first. */
  private List<Merge> mergesByRank() throws FormatException {
    List<Piece> pieces = new ArrayList<>(tokens.size());
    for (int id = 0; id < tokens.size(); id++) {
      pieces.add(new Piece(tokens.get(id), -id, kinds.get(id)));
    }
    return SentencePieces.vocabulary(metadata.file(), pieces, false).merges();
  }

  private TokenizerFiles sentencePiece() throws FormatException {
    float[] scores = metadata.floats(SCORES);
    if (scores.length != tokens.size()) {
      throw failure(SCORES, "length", tokens.size() + ", as tokens", scores.length, "");
    }
    List<Piece> pieces = new ArrayList<>(tokens.size());
    for (int id = 0; id < scores.length; id++) {
      if (Float.isNaN(scores[id])) {
        throw failure(SCORES, "element " + id, "a number", scores[id], "");
      }
      pieces.add(new Piece(tokens.get(id), scores[id], kinds.get(id)));
    }
    Vocabulary vocabulary =
        SentencePieces.vocabulary(metadata.file(), pieces, metadata.bool(SPACE_PREFIX, true));
    return TokenizerFiles.of(vocabulary, special(SENTENCE_PIECE_ROLES, true));
  }

  private List<Piece.Kind> kinds() throws FormatException {
    if (!metadata.has(KINDS)) {
      return Collections.nCopies(tokens.size(), Piece.Kind.NORMAL);
    }
    int[] numbers = metadata.integers(KINDS);
    if (numbers.length != tokens.size()) {
      throw failure(KINDS, "length", tokens.size() + ", as tokens", numbers.length, "");
    }
    List<Piece.Kind> found = new ArrayList<>(numbers.length);
    for (int id = 0; id < numbers.length; id++) {
      Optional<Piece.Kind> kind = Piece.Kind.ofNumber(numbers[id]);
      if (kind.isEmpty()) {
        throw failure(
            KINDS, "element " + id, "1 to " + Piece.Kind.values().length, numbers[id], "");
      }
      found.add(kind.get());
    }
    return found;
  }

  private List<AddedToken> added() {
    List<AddedToken> added = new ArrayList<>();
    for (int id = 0; id < kinds.size(); id++) {
      if (kinds.get(id).isAdded() && !tokens.get(id).isEmpty()) {
        added.add(new AddedToken(id, tokens.get(id), kinds.get(id).isSpecial()));
      }
    }
    return added;
  }

  /**
   * @param defaults ids of roles that have no key, or not a token's, if the vocabulary has that
   *     many tokens
   */
  private SpecialTokens special(Map<String, Integer> defaults, boolean addsBos)
      throws FormatException {
    Map<String, Integer> roles = new LinkedHashMap<>();
    for (String role : ROLES.keySet().stream().sorted().toList()) {
      OptionalInt id = idOf(ROLES.get(role));
      if (id.isPresent()) {
        roles.put(role, id.getAsInt());
      } else if (defaults.getOrDefault(role, tokens.size()) < tokens.size()) {
        roles.put(role, defaults.get(role));
      }
    }
    boolean addBos =
        adds(ADD_BOS, addsBos && roles.containsKey(SpecialTokens.BOS), SpecialTokens.BOS, roles);
    boolean addEos = adds(ADD_EOS, false, SpecialTokens.EOS, roles);
    Optional<String> template =
        metadata.has(CHAT_TEMPLATE)
            ? Optional.of(metadata.string(CHAT_TEMPLATE))
            : Optional.empty();
    return new SpecialTokens(roles, addBos, addEos, endIds(roles), template);
  }

  /**
   * The id that a key gives; none where it is absent or, but for BOS and EOS, no token's: some
   * converters write 2^32 - 1 for a role that no token has.
   */
  private OptionalInt idOf(String key) throws FormatException {
    if (!metadata.has(key)) {
      return OptionalInt.empty();
    }
    boolean strict =
        key.equals(ROLES.get(SpecialTokens.BOS)) || key.equals(ROLES.get(SpecialTokens.EOS));
    long last = tokens.size() - 1L;
    long id =
        strict
            ? metadata.integer(key, 0, last)
            : metadata.integer(key, Long.MIN_VALUE, Long.MAX_VALUE);
    return id < 0 || id > last ? OptionalInt.empty() : OptionalInt.of((int) id);
  }

  private boolean adds(String key, boolean absent, String role, Map<String, Integer> roles)
      throws FormatException {
    boolean adds = metadata.bool(key, absent);
    if (adds && !roles.containsKey(role)) {
      throw failure(key, "value", "false without " + ROLES.get(role), true, "");
    }
    return adds;
  }

  private Set<Integer> endIds(Map<String, Integer> roles) throws FormatException {
    Set<Integer> ends = new LinkedHashSet<>();
    if (roles.containsKey(SpecialTokens.EOS)) {
      ends.add(roles.get(SpecialTokens.EOS));
    }
    for (String key : END_KEYS) {
      idOf(key).ifPresent(ends::add);
    }
    for (String text : END_OF_TEXT) {
      Integer id = ids.get(text);
      if (id != null && kinds.get(id) == Piece.Kind.CONTROL) {
        ends.add(id);
      }
    }
    return ends;
  }

  private FormatException failure(
      String key, String what, Object expected, Object found, String advice) {
    return FormatException.of(metadata.file(), "key '" + key + "'", what, expected, found, advice);
  }
}
