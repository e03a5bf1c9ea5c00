package dev.quern.format.gguf;

import static dev.quern.format.gguf.GgufTestWriter.ARRAY;
import static dev.quern.format.gguf.GgufTestWriter.BOOL;
import static dev.quern.format.gguf.GgufTestWriter.F32;
import static dev.quern.format.gguf.GgufTestWriter.I32;
import static dev.quern.format.gguf.GgufTestWriter.STRING;
import static dev.quern.format.gguf.GgufTestWriter.U32;
import static dev.quern.format.gguf.GgufTestWriter.bytes;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.FormatException;
import dev.quern.format.vocab.TokenizerFiles;
import dev.quern.text.ChatTemplate;
import dev.quern.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Small vocabularies written here: what each key means, and every way in which they can be wrong.
 */
class GgufTokenizerTest {
  private static final int NORMAL = 1;
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;
  private static final int UNUSED = 5;
  private static final int BYTE = 6;

  @TempDir private Path folder;

  /** Keys of a file, each of which a test may replace. */
  private static final class Keys {
    private final Map<String, Object[]> keys = new LinkedHashMap<>();

    Keys text(String key, String value) {
      return with(key, STRING, value);
    }

    Keys texts(String key, List<String> values) {
      return with(key, ARRAY, STRING, (long) values.size(), bytes(values.toArray()));
    }

    Keys integers(String key, List<Integer> values) {
      return with(key, ARRAY, I32, (long) values.size(), bytes(values.toArray()));
    }

    Keys floats(String key, List<Float> values) {
      return with(key, ARRAY, F32, (long) values.size(), bytes(values.toArray()));
    }

    Keys id(String role, int id) {
      return with("tokenizer.ggml." + role + "_token_id", I32, id);
    }

    Keys flag(String key, boolean value) {
      return with("tokenizer.ggml." + key, BOOL, value);
    }

    Keys with(String key, int type, Object... value) {
      Object[] all = Stream.concat(Stream.of(type), Stream.of(value)).toArray();
      keys.put(key, all);
      return this;
    }

    Keys without(String key) {
      keys.remove(key);
      return this;
    }
  }

  /** Letters a, b, c, space; ab, abc; then tokens of other kinds. */
  private static Keys byteLevel() {
    return new Keys()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "gpt-2")
        .texts(
            "tokenizer.ggml.tokens",
            List.of("a", "b", "c", "Ġ", "ab", "abc", "<s>", "<think>", "<unused>", "<|endoftext|>"))
        .integers(
            "tokenizer.ggml.token_type",
            kinds(List.of(), 6, List.of(CONTROL, USER_DEFINED, UNUSED, CONTROL)))
        .texts("tokenizer.ggml.merges", List.of("a b", "ab c"))
        .id("bos", 6)
        .id("eos", 6);
  }

  /** Two pieces of two letters, of which the second one is better. */
  private static Keys sentencePiece() {
    return new Keys()
        .text("tokenizer.ggml.model", "llama")
        .texts(
            "tokenizer.ggml.tokens",
            List.of("<unk>", "<s>", "</s>", "▁", "a", "b", "c", "ab", "bc", "<tool>", "<0x64>"))
        .floats("tokenizer.ggml.scores", List.of(0f, 0f, 0f, -9f, -9f, -9f, -9f, -2f, -1f, 0f, 0f))
        .integers(
            "tokenizer.ggml.token_type",
            kinds(List.of(UNKNOWN, CONTROL, CONTROL), 6, List.of(USER_DEFINED, BYTE)));
  }

  private static List<Integer> kinds(List<Integer> first, int normal, List<Integer> last) {
    List<Integer> kinds = new ArrayList<>(first);
    kinds.addAll(Collections.nCopies(normal, NORMAL));
    kinds.addAll(last);
    return kinds;
  }

  private TokenizerFiles files(Keys keys) throws IOException {
    GgufTestWriter writer = new GgufTestWriter();
    keys.keys.forEach(
        (key, value) -> writer.with(key, (int) value[0], Stream.of(value).skip(1).toArray()));
    Path file = folder.resolve("m.gguf");
    Files.write(file, writer.toBytes());
    try (GgufFile gguf = GgufFile.open(file)) {
      return GgufTokenizer.of(gguf.metadata());
    }
  }

  private Tokenizer open(Keys keys) throws IOException {
    TokenizerFiles files = files(keys);
    return Tokenizer.open("m.gguf", files.tokenizerJson(), files.tokenizerConfigJson());
  }

  private void encodes(Keys keys, String text, int... ids) throws IOException {
    try (Tokenizer tokenizer = open(keys)) {
      assertArrayEquals(ids, tokenizer.encode(text, true), text);
    }
  }

  private void refuses(String message, Keys keys) {
    String found = assertThrows(FormatException.class, () -> files(keys)).getMessage();
    assertEquals("m.gguf, " + message, found);
  }

  @Test
  void tokensOfEveryKindInBytes() throws IOException {
    try (Tokenizer tokenizer = open(byteLevel())) {
      int[] ids = tokenizer.encode("abc<s>ab <think>", true);
      assertArrayEquals(new int[] {5, 6, 4, 3, 7}, ids);
      assertEquals("abc<s>ab <think>", tokenizer.decode(ids, false));
      assertEquals("abcab <think>", tokenizer.decode(ids, true));
      assertEquals(10, tokenizer.vocabSize());
    }
  }

  @Test
  void withoutMergesKimisIdsAreRanks() throws IOException {
    Keys keys = byteLevel().text("tokenizer.ggml.pre", "kimi-k2").without("tokenizer.ggml.merges");
    encodes(keys, "abc<s>ab ca", 5, 6, 4, 3, 2, 0);
    keys.texts(
        "tokenizer.ggml.tokens",
        List.of("a", "b", "c", "Ġ", "bc", "ab", "<s>", "<think>", "<unused>", "x"));
    encodes(keys, "abc", 0, 4);
  }

  @Test
  void betterPiecesAreMadeFirst() throws IOException {
    encodes(sentencePiece(), "abc", 1, 3, 4, 8);
    Keys other =
        sentencePiece()
            .floats(
                "tokenizer.ggml.scores", List.of(0f, 0f, 0f, -9f, -9f, -9f, -9f, -1f, -2f, 0f, 0f));
    encodes(other, "abc", 1, 3, 7, 6);
  }

  @Test
  void aSpaceGoesBeforeTextsAndAfterAddedTokens() throws IOException {
    encodes(sentencePiece(), "a<tool>a", 1, 3, 4, 9, 3, 4);
    encodes(sentencePiece().flag("add_space_prefix", false), "a<tool>a", 1, 4, 9, 4);
    encodes(sentencePiece(), " a", 1, 3, 3, 4);
    try (Tokenizer with = open(sentencePiece());
        Tokenizer without = open(sentencePiece().flag("add_space_prefix", false))) {
      int[] ids = {3, 3, 4};
      assertEquals(" a", with.decode(ids, false));
      assertEquals("  a", without.decode(ids, false));
    }
  }

  @Test
  void whatBeginsAndEndsATextIsAsTheFileSays() throws IOException {
    encodes(byteLevel(), "a", 0);
    encodes(byteLevel().flag("add_bos_token", true), "a", 6, 0);
    encodes(byteLevel().flag("add_bos_token", true).flag("add_eos_token", true), "a", 6, 0, 6);
    encodes(byteLevel().id("eos", 9).flag("add_eos_token", true), "a", 0, 9);
    encodes(byteLevel().text("tokenizer.ggml.pre", "llama-bpe"), "a", 6, 0);
    encodes(byteLevel().text("tokenizer.ggml.pre", "tekken"), "a", 6, 0);
    encodes(
        byteLevel().text("tokenizer.ggml.pre", "llama-bpe").flag("add_bos_token", false), "a", 0);
    encodes(
        byteLevel().text("tokenizer.ggml.pre", "tekken").without("tokenizer.ggml.bos_token_id"),
        "a",
        0);
    encodes(sentencePiece().flag("add_bos_token", false).flag("add_eos_token", true), "a", 3, 4, 2);
    encodes(sentencePiece().id("bos", 9), "a", 9, 3, 4);
  }

  @Test
  void allTokensThatEndATextAreStops() throws IOException {
    try (Tokenizer tokenizer = open(byteLevel().id("eot", 7).id("eom", 8))) {
      assertEquals(Set.of(6, 7, 8, 9), tokenizer.stopIds(), "<|endoftext|> by its name");
    }
    try (Tokenizer tokenizer = open(sentencePiece())) {
      assertEquals(Set.of(2), tokenizer.stopIds());
      assertEquals(1, tokenizer.bosId().getAsInt());
    }
  }

  @Test
  void theChatTemplateIsTheFiles() throws IOException {
    Keys keys =
        byteLevel().text("tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}");
    ChatTemplate template =
        ChatTemplate.open("m.gguf", files(keys).tokenizerConfigJson()).orElseThrow();
    assertEquals(
        "<s>hi", template.render(List.of(new ChatTemplate.Message("user", "hi")), true, Map.of()));
    assertTrue(ChatTemplate.open("m", files(byteLevel()).tokenizerConfigJson()).isEmpty());
  }

  @Test
  void anEmptyTokenIsAnIdWithoutText() throws IOException {
    Keys keys = sentencePiece().without("tokenizer.ggml.token_type");
    keys.texts(
        "tokenizer.ggml.tokens", List.of("", "", "", "▁", "a", "b", "c", "ab", "bc", "", "x"));
    try (Tokenizer tokenizer = open(keys.flag("add_bos_token", false))) {
      assertArrayEquals(new int[] {3, 8}, tokenizer.encode("bc", true));
      assertEquals("bc", tokenizer.decode(new int[] {0, 8, 9}, false));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"bert", "t5", "rwkv", "plamo2", "no_vocab", "gemma4", ""})
  void otherKindsAreRefused(String model) {
    refuses(
        "key 'tokenizer.ggml.model': tokenizer: expected gpt2 (byte-level BPE) or llama"
            + " (SentencePiece BPE), found "
            + model
            + ". Give the model as a Hugging Face folder with its tokenizer.json.",
        byteLevel().text("tokenizer.ggml.model", model));
  }

  @Test
  void anUnknownPreTokenizerNamesTheNearest() {
    refuses(
        "key 'tokenizer.ggml.pre': pre-tokenizer: expected a known name such as qwen2, found qwen9."
            + " Give the model as a Hugging Face folder with its tokenizer.json.",
        byteLevel().text("tokenizer.ggml.pre", "qwen9"));
  }

  @Test
  void missingKeys() {
    refuses("key 'tokenizer.ggml.model': value: expected a string, found no such key", new Keys());
    refuses(
        "key 'tokenizer.ggml.tokens': value: expected an array of strings, found no such key",
        byteLevel().without("tokenizer.ggml.tokens"));
    refuses(
        "key 'tokenizer.ggml.merges': value: expected an array of strings, found no such key",
        byteLevel().without("tokenizer.ggml.merges"));
    refuses(
        "key 'tokenizer.ggml.scores': value: expected an array of floats, found no such key",
        sentencePiece().without("tokenizer.ggml.scores"));
    refuses(
        "key 'tokenizer.ggml.add_bos_token': value: expected false without"
            + " tokenizer.ggml.bos_token_id, found true",
        byteLevel().without("tokenizer.ggml.bos_token_id").flag("add_bos_token", true));
  }

  @Test
  void lengthsThatDisagree() {
    refuses(
        "key 'tokenizer.ggml.tokens': length: expected 1 to 4194304, found 0",
        byteLevel().texts("tokenizer.ggml.tokens", List.of()));
    refuses(
        "key 'tokenizer.ggml.token_type': length: expected 10, as tokens, found 9",
        byteLevel().integers("tokenizer.ggml.token_type", Collections.nCopies(9, 1)));
    refuses(
        "key 'tokenizer.ggml.scores': length: expected 11, as tokens, found 12",
        sentencePiece().floats("tokenizer.ggml.scores", Collections.nCopies(12, 1f)));
  }

  @Test
  void merges() {
    refuses(
        "key 'tokenizer.ggml.merges': element 1, 'ab x': expected tokens, found x",
        byteLevel().texts("tokenizer.ggml.merges", List.of("a b", "ab x")));
    refuses(
        "key 'tokenizer.ggml.merges': element 0, 'b a': expected tokens, found ba",
        byteLevel().texts("tokenizer.ggml.merges", List.of("b a")));
    for (String wrong : List.of("", " ", "ab", "ab ", " b")) {
      refuses(
          "key 'tokenizer.ggml.merges': element 0: expected two tokens with a space between, found "
              + wrong,
          byteLevel().texts("tokenizer.ggml.merges", List.of(wrong)));
    }
  }

  @Test
  void wrongTokens() {
    refuses(
        "token 2: text: expected another than of token 0, found a",
        byteLevel().texts("tokenizer.ggml.tokens", List.of("a", "b", "a")));
    List<String> broken = List.of("a", "b", "c", "Ġ", "ab", "\uFFFD", "1", "2", "3", "4");
    refuses(
        "key 'tokenizer.ggml.tokens': element 5: expected UTF-8, found \uFFFD",
        byteLevel().texts("tokenizer.ggml.tokens", broken));
    refuses(
        "token 1: characters: expected at most 512, found 513",
        sentencePiece()
            .without("tokenizer.ggml.token_type")
            .texts("tokenizer.ggml.tokens", List.of("a", "b".repeat(513)))
            .floats("tokenizer.ggml.scores", List.of(0f, 0f)));
  }

  @Test
  void wrongNumbers() {
    refuses(
        "key 'tokenizer.ggml.token_type': element 1: expected 1 to 6, found 7",
        byteLevel().integers("tokenizer.ggml.token_type", IntStream.range(6, 16).boxed().toList()));
    List<Float> scores = List.of(0f, 0f, Float.NaN, 0f, 0f, 0f, 0f, 0f, 0f, 0f, 0f);
    refuses(
        "key 'tokenizer.ggml.scores': element 2: expected a number, found NaN",
        sentencePiece().floats("tokenizer.ggml.scores", scores));
    for (String role : List.of("bos", "eos")) {
      for (int id : new int[] {-1, 10, Integer.MAX_VALUE}) {
        refuses(
            "key 'tokenizer.ggml."
                + role
                + "_token_id': value: expected an integer from 0 to 9, found int32 "
                + id,
            byteLevel().id(role, id));
      }
    }
  }

  /** llama.cpp's converter of llama2.c models writes 2^32 - 1 for the padding token. */
  @Test
  void idsOfNoTokenAreLeftOutOfOtherRoles() throws IOException {
    TokenizerFiles without = files(sentencePiece());
    for (String role : List.of("padding", "unknown", "eot", "eom")) {
      String key = "tokenizer.ggml." + role + "_token_id";
      for (int id : new int[] {11, Integer.MAX_VALUE, -1}) {
        assertEquals(without, files(sentencePiece().with(key, U32, id)), role + " " + id);
        assertEquals(without, files(sentencePiece().id(role, id)), role + " " + id);
      }
      String message =
          assertThrows(FormatException.class, () -> files(sentencePiece().text(key, "1")))
              .getMessage();
      assertTrue(
          message.startsWith("m.gguf, key '" + key + "': value: expected an integer"), message);
    }
  }

  @Test
  void valuesOfOtherTypes() {
    refuses(
        "key 'tokenizer.ggml.tokens': value: expected an array of strings, found string \"a\"",
        byteLevel().text("tokenizer.ggml.tokens", "a"));
    refuses(
        "key 'tokenizer.chat_template': value: expected a string, found bool true",
        byteLevel().with("tokenizer.chat_template", BOOL, true));
    refuses(
        "key 'tokenizer.ggml.scores': value: expected an array of floats, found array of 1 int32",
        sentencePiece().integers("tokenizer.ggml.scores", List.of(1)));
  }
}
