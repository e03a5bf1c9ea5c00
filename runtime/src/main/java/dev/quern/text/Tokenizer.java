package dev.quern.text;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * Text to token ids and back, through the Hugging Face tokenizers library, which reads every {@code
 * tokenizer.json}. Texts of any length are encoded in one go: truncation and padding are off,
 * whatever the file or {@code model_max_length} say. Special tokens in the text are recognised.
 *
 * <p>Safe for several threads. The library's native handle belongs to this object: close it.
 */
public final class Tokenizer implements AutoCloseable {
  private static final String FILE = "tokenizer.json";

  /** What ends a turn in the chat formats of known families, beside their end-of-text token. */
  private static final Set<String> END_OF_TURN =
      Set.of(
          "<|im_end|>", // ChatML
          "<|eot_id|>", // Llama 3
          "<|eom_id|>",
          "<end_of_turn>", // Gemma
          "<|end|>", // Phi
          "<|return|>", // gpt-oss
          "<|call|>",
          "<|eot|>", // Llama 4
          "<|END_OF_TURN_TOKEN|>"); // Command R

  private final String name; // of where it comes from, for messages
  private final TokenTable table;
  private final TokenizerConfig config;
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
  private long handle; // 0 once closed

  private Tokenizer(String name, TokenTable table, TokenizerConfig config, long handle) {
    this.name = name;
    this.table = table;
    this.config = config;
    this.handle = handle;
  }

  /**
   * @param folder holds {@code tokenizer.json} and, if present, {@code tokenizer_config.json},
   *     {@code generation_config.json} and {@code config.json}
   * @throws TextException if one of these files is wrong or the native library cannot be loaded
   */
  public static Tokenizer open(Path folder) throws IOException {
    Path file = folder.resolve(FILE);
    if (!Files.isRegularFile(file)) {
      throw TextException.in(file, "expected in " + folder + ", found no such file");
    }
    String json = JsonFiles.readString(file, JsonFiles.MAX_TOKENIZER_BYTES);
    return open(FILE, json, TokenizerConfig.read(folder));
  }

  /**
   * A tokenizer whose {@code tokenizer.json} was made from another file of a folder.
   *
   * @param folder holds what stands beside it, see {@link #open(Path)}
   * @param tokenizerJson contents of a {@code tokenizer.json}
   */
  public static Tokenizer open(Path folder, String tokenizerJson) throws IOException {
    return open(folder.getFileName().toString(), tokenizerJson, TokenizerConfig.read(folder));
  }

  /**
   * A tokenizer that does not lie in a folder, such as the one in a GGUF file.
   *
   * @param name of where it comes from, for messages
   * @param tokenizerJson contents of a {@code tokenizer.json}
   * @param tokenizerConfigJson contents of a {@code tokenizer_config.json}; here {@code
   *     eos_token_id}, a number or a list, says what ends a text
   * @throws TextException if one of them is wrong or the native library cannot be loaded
   */
  public static Tokenizer open(String name, String tokenizerJson, String tokenizerConfigJson)
      throws TextException {
    return open(name, tokenizerJson, TokenizerConfig.parse(name, tokenizerConfigJson));
  }

  private static Tokenizer open(String name, String json, TokenizerConfig config)
      throws TextException {
    TokenTable table = TokenTable.parse(name, json);
    TokenizersLibrary library = library();
    long handle;
    try {
      handle = library.createTokenizerFromString(json);
    } catch (RuntimeException e) {
      throw TextException.in(name, "refused by the tokenizer library: " + e.getMessage(), e);
    }
    library.disableTruncation(handle);
    library.disablePadding(handle);
    return new Tokenizer(name, table, config, handle);
  }

  /**
   * The library's own entry, one level below its {@code HuggingFaceTokenizer}: that one reports
   * each start to its makers over the network, and copies token texts and spans nobody asked for.
   */
  private static TokenizersLibrary library() throws TextException {
    if (System.getProperty("ai.djl.offline") == null) {
      // Else it fetches a CUDA build of itself where it sees a GPU.
      System.setProperty("ai.djl.offline", "true");
    }
    try {
      LibUtils.checkStatus();
      return TokenizersLibrary.LIB;
    } catch (RuntimeException | LinkageError e) {
      throw new TextException(
          "the tokenizer library cannot be loaded: "
              + e.getMessage()
              + "; is DJL_CACHE_DIR (default ~/.djl.ai) writable?",
          e);
    }
  }

  /**
   * @param addSpecial adds what the tokenizer adds around a text, such as a BOS token; {@code
   *     add_bos_token} of tokenizer_config.json decides where it is given. Not for rendered chat
   *     templates, which write their own.
   * @throws TextException if the tokenizer fails at this text or gives an id outside its vocabulary
   */
  public int[] encode(String text, boolean addSpecial) throws TextException {
    int[] ids = idsOf(withoutLoneSurrogates(text), addSpecial);
    OptionalInt bos = bosId();
    if (addSpecial && config.addBos().isPresent() && bos.isPresent()) {
      int[] frame = idsOf("", true);
      boolean adds = frame.length > 0 && frame[0] == bos.getAsInt();
      if (adds && !config.addBos().get()) {
        ids = Arrays.copyOfRange(ids, 1, ids.length);
      } else if (!adds && config.addBos().get()) {
        int[] longer = new int[ids.length + 1];
        longer[0] = bos.getAsInt();
        System.arraycopy(ids, 0, longer, 1, ids.length);
        ids = longer;
      }
    }
    return ids;
  }

  /** Many may encode at once; close waits for them, since the handle is an address. */
  private int[] idsOf(String text, boolean addSpecial) throws TextException {
    lock.readLock().lock();
    try {
      if (handle == 0) {
        throw new IllegalStateException("the tokenizer is closed");
      }
      return checked(libraryIdsOf(text, addSpecial));
    } finally {
      lock.readLock().unlock();
    }
  }

  private long[] libraryIdsOf(String text, boolean addSpecial) throws TextException {
    try {
      long encoding = TokenizersLibrary.LIB.encode(handle, text, addSpecial);
      try {
        return TokenizersLibrary.LIB.getTokenIds(encoding);
      } finally {
        TokenizersLibrary.LIB.deleteEncoding(encoding);
      }
    } catch (RuntimeException e) {
      throw TextException.in(name, "the tokenizer library cannot encode: " + e.getMessage(), e);
    }
  }

  /** A post-processor may add what it likes. */
  private int[] checked(long[] ids) throws TextException {
    for (long id : ids) {
      if (id < 0 || id >= table.size()) {
        throw TextException.in(
            name, "token id: expected 0 to " + (table.size() - 1) + ", found " + id);
      }
    }
    return Arrays.stream(ids).mapToInt(Math::toIntExact).toArray();
  }

  /**
   * A whole text, by the same rules as {@link #streamDecoder}; of a vocabulary that reads a text as
   * if it began with a space, without that space. The library's own decoding is not used: it takes
   * the characters of added tokens for bytes, and an ü that is one for half of another character.
   *
   * @param skipSpecial leaves out the special tokens
   * @throws IllegalArgumentException if an id is outside the vocabulary
   */
  public String decode(int[] ids, boolean skipSpecial) {
    StreamDecoder decoder = streamDecoder(skipSpecial);
    StringBuilder text = new StringBuilder();
    for (int id : ids) {
      text.append(decoder.push(id));
    }
    text.append(decoder.finish());
    int start = 0;
    while (start < Math.min(table.leadingSpaces(), text.length()) && text.charAt(start) == ' ') {
      start++;
    }
    return text.substring(start);
  }

  /** The bytes of one token, which may end in the middle of a character. */
  public byte[] bytes(int id) {
    return table.bytes(id);
  }

  /** A new decoder for ids that come one at a time. */
  public StreamDecoder streamDecoder(boolean skipSpecial) {
    return new StreamDecoder(table, skipSpecial);
  }

  /**
   * Ids that end a text: {@code eos_token_id} of generation_config.json and config.json (a number
   * or a list), and the {@code eos_token} of tokenizer_config.json.
   */
  public Set<Integer> stopIds() {
    Set<Integer> ids = new LinkedHashSet<>(config.eosIds());
    String eos = config.specialTokens().get("eos_token");
    if (eos != null) {
      idOf(eos).ifPresent(ids::add);
    }
    return ids;
  }

  /**
   * Special tokens of this vocabulary that end a turn of a chat, such as {@code <|im_end|>}. Where
   * {@code <|return|>} does, as in gpt-oss, {@code <|end|>} only ends a message of the turn.
   */
  public Set<Integer> endOfTurnIds() {
    Set<Integer> ids = new LinkedHashSet<>();
    for (int id : table.special()) {
      if (END_OF_TURN.contains(table.texts()[id])) {
        ids.add(id);
      }
    }
    if (idOf("<|return|>").isPresent()) {
      idOf("<|end|>").ifPresent(ids::remove);
    }
    return ids;
  }

  /** One more than the largest id; a model's logits may be longer, padded. */
  public int vocabSize() {
    return table.size();
  }

  /** The id of a token as tokenizer.json writes it, such as {@code <|im_end|>}. */
  public OptionalInt idOf(String token) {
    Integer id = table.ids().get(token);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** The beginning-of-text token that tokenizer_config.json names. */
  public OptionalInt bosId() {
    String bos = config.specialTokens().get("bos_token");
    return bos == null ? OptionalInt.empty() : idOf(bos);
  }

  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      if (handle != 0) {
        TokenizersLibrary.LIB.deleteTokenizer(handle);
        handle = 0;
      }
    } finally {
      lock.writeLock().unlock();
    }
  }

  /** Half a surrogate pair is no character and has no UTF-8: it becomes U+FFFD. */
  private static String withoutLoneSurrogates(String text) {
    StringBuilder fixed = null;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!Character.isSurrogate(c)) {
        continue;
      }
      if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
        continue;
      }
      fixed = fixed == null ? new StringBuilder(text) : fixed;
      fixed.setCharAt(i, '\uFFFD');
    }
    return fixed == null ? text : fixed.toString();
  }
}
