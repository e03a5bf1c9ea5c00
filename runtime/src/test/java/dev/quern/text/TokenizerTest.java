package dev.quern.text;

import static java.util.Map.entry;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class TokenizerTest {
  private static final Path TINY_MOE = datasets().resolve("tiny-moe");
  private static final int END_OF_TEXT = 4093;

  /** What stands in a template of a post-processor. */
  private static final String TEXT = "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}";

  private static final String TOKEN = "{\"SpecialToken\": {\"id\": \"x\", \"type_id\": 0}}";

  private static Tokenizer tokenizer;

  static Path datasets() {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.isDirectory(folder.resolve("datasets/tiny-moe"))) {
      folder = folder.getParent();
    }
    return folder.resolve("datasets");
  }

  @BeforeAll
  static void open() throws IOException {
    tokenizer = Tokenizer.open(TINY_MOE.resolve("model"));
  }

  @AfterAll
  static void close() {
    tokenizer.close();
  }

  @Test
  void goldenPairsAreIdentical() throws IOException {
    JsonNode pairs = JsonMapper.shared().readTree(TINY_MOE.resolve("golden/tokenizer.json"));
    assertEquals(200, pairs.size());
    for (JsonNode pair : pairs.values()) {
      int[] expected = pair.get("ids").valueStream().mapToInt(JsonNode::intValue).toArray();
      String text = pair.get("text").stringValue();
      assertArrayEquals(expected, tokenizer.encode(text, false), text);
      assertArrayEquals(expected, tokenizer.encode(text, true), "no BOS in this model: " + text);
      assertEquals(pair.get("decoded").stringValue(), tokenizer.decode(expected, false), text);
      assertEquals(pair.get("decoded").stringValue(), streamed(expected, false), text);
    }
  }

  @Test
  void longTextsAreEncodedWhole() throws IOException {
    int[] valid = tokenizer.encode(Files.readString(TINY_MOE.resolve("text/valid.txt")), false);
    int[] test = tokenizer.encode(Files.readString(TINY_MOE.resolve("text/test.txt")), false);
    assertEquals(102_617, valid.length);
    assertEquals(69_672, test.length);
    assertEquals(tokenizer.decode(valid, false), streamed(valid, false));
  }

  /** Random ids break characters everywhere: the stream must replace as the library does. */
  @Test
  void streamEqualsWholeDecodingForRandomIds() {
    Random random = new Random(7);
    for (int round = 0; round < 300; round++) {
      int bound = round % 2 == 0 ? 256 : tokenizer.vocabSize(); // single bytes, or any token
      int[] ids = random.ints(40, 0, bound).toArray();
      boolean skip = round % 3 == 0;
      assertEquals(tokenizer.decode(ids, skip), streamed(ids, skip), "round " + round);
    }
  }

  @Test
  void partOfACharacterIsHeldBack() throws IOException {
    int[] ids = tokenizer.encode("𐍈", false);
    assertTrue(ids.length > 1, "expected a character of several tokens");
    StreamDecoder stream = tokenizer.streamDecoder(false);
    for (int i = 0; i < ids.length - 1; i++) {
      assertEquals("", stream.push(ids[i]));
    }
    assertEquals("𐍈", stream.push(ids[ids.length - 1]));
    assertEquals("", stream.push(ids[0]));
    assertEquals("\uFFFD", stream.finish());
    assertEquals("", stream.finish(), "finish leaves nothing behind");
  }

  @Test
  void bytesOfTheTokensOfATextAreItsUtf8() throws IOException {
    String text = "naïve — “quotes” 日本 🙂 <|im_end|>";
    java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();
    for (int id : tokenizer.encode(text, false)) {
      bytes.writeBytes(tokenizer.bytes(id));
    }
    assertEquals(text, bytes.toString(StandardCharsets.UTF_8));
  }

  @Test
  void specialTokens() throws IOException {
    assertEquals(4096, tokenizer.vocabSize());
    assertEquals(Set.of(END_OF_TEXT), tokenizer.stopIds());
    assertEquals(Set.of(4095), tokenizer.endOfTurnIds());
    assertEquals(4095, tokenizer.idOf("<|im_end|>").getAsInt());
    assertTrue(tokenizer.idOf("<|no_such|>").isEmpty());
    assertTrue(tokenizer.bosId().isEmpty());
    int[] ids = tokenizer.encode("a<|im_end|>b", false);
    assertEquals("ab", tokenizer.decode(ids, true));
    assertEquals("ab", streamed(ids, true));
  }

  @Test
  void halfASurrogatePairBecomesTheReplacementCharacter() throws IOException {
    assertArrayEquals(tokenizer.encode("a\uFFFDb", false), tokenizer.encode("a\uD83Db", false));
    assertArrayEquals(tokenizer.encode("\uFFFD", false), tokenizer.encode("\uDE00", false));
  }

  @Test
  void idsOutsideTheVocabularyAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(new int[] {4096}, false));
    assertThrows(IllegalArgumentException.class, () -> tokenizer.bytes(-1));
  }

  @Test
  void eosListsAndAddedBos(@TempDir Path folder) throws IOException {
    Files.copy(TINY_MOE.resolve("model/tokenizer.json"), folder.resolve("tokenizer.json"));
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"bos_token\": {\"content\": \"<|im_start|>\"}, \"add_bos_token\": true,"
            + " \"eos_token\": \"<|im_end|>\"}");
    Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [7, 9]}");
    Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": 11}");
    try (Tokenizer with = Tokenizer.open(folder)) {
      assertEquals(Set.of(7, 9, 11, 4095), with.stopIds());
      int[] plain = with.encode("Once", false);
      int[] framed = with.encode("Once", true);
      assertEquals(4094, framed[0]);
      assertArrayEquals(plain, java.util.Arrays.copyOfRange(framed, 1, framed.length));
    }
  }

  @Test
  void fromMemoryTheConfigurationSaysWhatEndsAText() throws IOException {
    String json = Files.readString(TINY_MOE.resolve("model/tokenizer.json"));
    try (Tokenizer one = Tokenizer.open("m", json, "{\"eos_token_id\": 5}");
        Tokenizer two = Tokenizer.open("m", json, "{\"eos_token_id\": [5, 6]}")) {
      assertEquals(Set.of(5), one.stopIds());
      assertEquals(Set.of(5, 6), two.stopIds());
      String text = "Once upon a time";
      assertArrayEquals(tokenizer.encode(text, true), one.encode(text, true));
    }
    for (String[] wrong :
        new String[][] {{json, "["}, {"{}", "{}"}, {json, "{\"eos_token_id\": {}}"}}) {
      String message =
          assertThrows(TextException.class, () -> Tokenizer.open("m.gguf", wrong[0], wrong[1]))
              .getMessage();
      assertTrue(message.startsWith("m.gguf: "), message);
      assertEquals(1, message.lines().count(), message);
    }
  }

  @Test
  void rolesAreLookedUpInTheOlderFileToo(@TempDir Path folder) throws IOException {
    Files.copy(TINY_MOE.resolve("model/tokenizer.json"), folder.resolve("tokenizer.json"));
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"bos_token\": null}");
    Files.writeString(
        folder.resolve("special_tokens_map.json"),
        "{\"bos_token\": \"<|im_start|>\", \"eos_token\": {\"content\": \"<|im_end|>\"}}");
    try (Tokenizer older = Tokenizer.open(folder)) {
      assertEquals(Set.of(4095), older.stopIds());
      assertTrue(older.bosId().isEmpty(), "the newer file says there is none");
    }
  }

  /** Of SentencePiece vocabularies, where the decoder says that a first space was put in front. */
  @Test
  void aWholeTextLosesTheSpaceInFront() throws IOException {
    String json =
        "{\"version\":\"1.0\",\"added_tokens\":[],\"pre_tokenizer\":%1$s,\"decoder\":%1$s,"
            + "\"model\":{\"type\":\"BPE\",\"vocab\":{\"\u2581\":0,\"a\":1,\"\u2581a\":2},"
            + "\"merges\":[[\"\u2581\",\"a\"]]}}";
    String metaspace =
        "{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"%s\"}";
    try (Tokenizer always =
            Tokenizer.open("m", json.formatted(metaspace.formatted("always")), "{}");
        Tokenizer never = Tokenizer.open("m", json.formatted(metaspace.formatted("never")), "{}")) {
      assertArrayEquals(new int[] {2, 2}, always.encode("a a", false));
      assertEquals("a a", always.decode(new int[] {2, 2}, false));
      assertEquals(" a", always.decode(new int[] {0, 2}, false));
      assertArrayEquals(new int[] {1, 2}, never.encode("a a", false));
      assertEquals(" a a", never.decode(new int[] {2, 2}, false));
    }
  }

  /** In gpt-oss a turn has several messages. */
  @Test
  void aMessageWithinATurnDoesNotEndIt() throws IOException {
    String json = Files.readString(TINY_MOE.resolve("model/tokenizer.json"));
    String phi = json.replace("<|im_end|>", "<|end|>");
    try (Tokenizer one = Tokenizer.open("m", phi, "{}");
        Tokenizer many = Tokenizer.open("m", phi.replace("<|im_start|>", "<|return|>"), "{}")) {
      assertEquals(Set.of(4095), one.endOfTurnIds());
      assertEquals(Set.of(4094), many.endOfTurnIds());
    }
  }

  @Test
  void truncationInTheFileIsSwitchedOff(@TempDir Path folder) throws IOException {
    String json = Files.readString(TINY_MOE.resolve("model/tokenizer.json"));
    String truncating =
        json.replaceFirst(
            "\"truncation\": null",
            "\"truncation\": {\"direction\": \"Right\", \"max_length\": 4,"
                + " \"strategy\": \"LongestFirst\", \"stride\": 0}");
    assertFalse(truncating.equals(json));
    Files.writeString(folder.resolve("tokenizer.json"), truncating);
    try (Tokenizer all = Tokenizer.open(folder)) {
      String text = "one two three four five six seven eight";
      assertArrayEquals(tokenizer.encode(text, false), all.encode(text, false));
    }
  }

  @Test
  void wrongFilesAreOneLine(@TempDir Path folder) throws IOException {
    assertOneLine(folder, "tokenizer.json");
    Path file = folder.resolve("tokenizer.json");
    String json = Files.readString(TINY_MOE.resolve("model/tokenizer.json"));
    for (String wrong :
        new String[] {
          "",
          "[]",
          "{}",
          json.substring(0, json.length() / 2),
          json.replaceFirst("\"id\": 4093", "\"id\": 2000000000"),
          json.replace("\"merges\"", "\"mergez\""),
          "{\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":-1}}}",
          "{\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":0}}}",
          "{\"decoder\":{\"type\":\"WordPiece\"},\"model\":{\"vocab\":{\"a\":0}}}",
          "[".repeat(100_000)
        }) {
      Files.writeString(file, wrong);
      assertOneLine(folder, "tokenizer.json");
    }
    Files.writeString(file, json);
    Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": \"x\"}");
    assertOneLine(folder, "config.json");
  }

  private static String template(String single, String specialTokens) {
    return """
    {"type": "TemplateProcessing", "single": [%s], "pair": [%s], "special_tokens": {%s}}\
    """
        .formatted(single, TEXT, specialTokens);
  }

  private static String described(long id) {
    return "\"x\": {\"id\": \"x\", \"ids\": [%d], \"tokens\": [\"x\"]}".formatted(id);
  }

  private static String sequence(String... processors) {
    return "{\"type\": \"Sequence\", \"processors\": [%s]}".formatted(String.join(",", processors));
  }

  /** Each would end the JVM, so the check alone sees them. */
  @Test
  void postProcessorsThatTheLibraryDoesNotSurviveAreRefused() {
    String notA =
        "post_processor, single: expected Sequence A or a token of special_tokens, found ";
    String template = template(TOKEN + "," + TEXT, described(3));
    Map<String, String> refused =
        Map.ofEntries(
            entry(template(TOKEN + "," + TEXT, ""), notA + "{\"SpecialToken\""),
            entry(template(TEXT.replace('A', 'B'), ""), notA + "{\"Sequence\""),
            entry(template("{\"SpecialToken\": [\"x\", 0]}", ""), notA),
            entry(sequence(sequence(template(TOKEN, ""))), notA),
            entry(template(TOKEN, "").replace("TemplateProcessing", "ByteLevel"), notA),
            entry("[[" + TOKEN + "], [], {}]", "post_processor: expected an object, found ARRAY"),
            entry(
                sequence(template, template),
                "post_processor: expected at most one TemplateProcessing, found 2"),
            entry(
                template(TEXT, described(-1)), "post_processor, special_tokens: expected ids of 0"),
            entry(
                template(TEXT, described(1L << 31)),
                "post_processor, special_tokens: expected ids of 0 to 2147483647, found 2147483648"));
    refused.forEach((processor, message) -> {
      String found =
          assertThrows(
                  TextException.class,
                  () -> TokenTable.parse("m", small(processor, "null")),
                  processor)
              .getMessage();
      assertTrue(found.startsWith("m: " + message), found);
    });
  }

  @Test
  void aTemplateOfOneTextIsRead() throws IOException {
    String template = template(TOKEN + "," + TEXT, described(1));
    for (String processor : List.of(template, sequence(template))) {
      try (Tokenizer framed = Tokenizer.open("m", small(processor, "null"), "{}")) {
        assertArrayEquals(new int[] {1, 0}, framed.encode("a", true));
        assertArrayEquals(new int[] {0}, framed.encode("a", false));
      }
    }
  }

  @Test
  void whatTheLibraryCannotEncodeIsOneLine() throws IOException {
    encodingFails("m: the tokenizer library cannot encode: ", small("null", "\"no such token\""));
    encodingFails(
        "m: token id: expected 0 to 1, found 2",
        small(template(TOKEN + "," + TEXT, described(2)), "null"));
    encodingFails(
        "m: token id: expected 0 to 1, found 4294967295",
        small(
            "{\"type\": \"BertProcessing\", \"sep\": [\"x\", 4294967295], \"cls\": [\"x\", 1]}",
            "null"));
  }

  private static void encodingFails(String message, String json) throws IOException {
    try (Tokenizer failing = Tokenizer.open("m", json, "{}")) {
      TextException e = assertThrows(TextException.class, () -> failing.encode("b", true));
      assertTrue(e.getMessage().startsWith(message), e.getMessage());
      assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    }
  }

  /** A vocabulary of a, id 0, and x, id 1. */
  private static String small(String postProcessor, String unknown) {
    return """
    {"version": "1.0", "added_tokens": [], "post_processor": %s,
     "decoder": {"type": "ByteFallback"},
     "model": {"type": "BPE", "vocab": {"a": 0, "x": 1}, "merges": [], "unk_token": %s}}\
    """
        .formatted(postProcessor, unknown);
  }

  @Test
  void aClosedTokenizerSaysSo() throws IOException {
    Tokenizer closed = Tokenizer.open(TINY_MOE.resolve("model"));
    closed.close();
    closed.close();
    assertThrows(IllegalStateException.class, () -> closed.encode("a", false));
  }

  private static void assertOneLine(Path folder, String file) {
    String message = assertThrows(TextException.class, () -> Tokenizer.open(folder)).getMessage();
    assertTrue(message.startsWith(file), message);
    assertEquals(1, message.lines().count(), message);
  }

  private static String streamed(int[] ids, boolean skipSpecial) {
    StreamDecoder stream = tokenizer.streamDecoder(skipSpecial);
    StringBuilder out = new StringBuilder();
    for (int id : ids) {
      out.append(stream.push(id));
    }
    return out.append(stream.finish()).toString();
  }
}
