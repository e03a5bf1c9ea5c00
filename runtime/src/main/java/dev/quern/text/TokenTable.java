package dev.quern.text;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/**
 * The bytes each token stands for, read from {@code tokenizer.json} (model.vocab, added_tokens,
 * decoder). The library decodes whole texts; a stream needs the bytes of one token, which may end
 * in the middle of a character.
 *
 * @param ids text of a token as the file writes it, to its id
 * @param texts the same by id; null where an id is unused
 * @param added ids of added tokens, whose texts are plain
 * @param special ids that {@code skipSpecial} leaves out
 * @param leadingSpaces how many spaces a whole text loses at its beginning when it is decoded
 */
record TokenTable(
    Map<String, Integer> ids,
    String[] texts,
    Set<Integer> added,
    Set<Integer> special,
    Spelling spelling,
    int leadingSpaces) {
  private static final int MAX_ID = (1 << 22) - 1; // the largest known vocabulary has 262 144
  private static final int BYTES = 256;

  /** How a token's text spells its bytes. */
  enum Spelling {
    /** One printable character per byte, as GPT-2 does. */
    BYTE_LEVEL,
    /** U+2581 for a space, {@code <0x0A>} for a byte without a token of its own. */
    SENTENCE_PIECE
  }

  /** Byte to character of the GPT-2 alphabet: printable ones stay, the others move past 255. */
  private static final Map<Character, Byte> BYTE_OF = byteLevelAlphabet();

  /**
   * @param file for messages
   * @param json contents of a {@code tokenizer.json}
   * @throws TextException also if the native library must not see it, see {@link PostProcessor}
   */
  static TokenTable parse(String file, String json) throws TextException {
    Map<String, Integer> ids = new HashMap<>();
    Set<Integer> added = new HashSet<>();
    Set<Integer> special = new HashSet<>();
    JsonNode decoder = MissingNode.getInstance();
    try (JsonParser in = JsonFiles.MAPPER.createParser(json)) {
      if (in.nextToken() != JsonToken.START_OBJECT) {
        throw TextException.in(file, "expected a JSON object");
      }
      while (in.nextToken() == JsonToken.PROPERTY_NAME) {
        String name = in.currentName();
        JsonToken value = in.nextToken();
        if (name.equals("decoder")) {
          decoder = in.readValueAsTree();
        } else if (name.equals("post_processor")) {
          PostProcessor.check(file, in.readValueAsTree());
        } else if (name.equals("added_tokens") && value == JsonToken.START_ARRAY) {
          readAdded(file, in.readValueAsTree(), ids, added, special);
        } else if (name.equals("model") && value == JsonToken.START_OBJECT) {
          readModel(file, in, ids);
        } else {
          in.skipChildren();
        }
      }
    } catch (JacksonException e) {
      throw TextException.in(file, "expected JSON: " + JsonFiles.problemOf(e), e);
    }
    if (ids.isEmpty()) {
      throw TextException.in(file, "model.vocab: expected tokens, found none");
    }
    int size = 1 + ids.values().stream().mapToInt(Integer::intValue).max().getAsInt();
    String[] texts = new String[size];
    ids.forEach((text, id) -> texts[id] = text);
    return new TokenTable(
        Map.copyOf(ids),
        texts,
        Set.copyOf(added),
        Set.copyOf(special),
        spelling(file, decoder),
        leadingSpaces(decoder));
  }

  private static void readModel(String file, JsonParser in, Map<String, Integer> ids)
      throws TextException {
    while (in.nextToken() == JsonToken.PROPERTY_NAME) {
      String name = in.currentName();
      JsonToken value = in.nextToken();
      if (!name.equals("vocab")) {
        in.skipChildren();
      } else if (value == JsonToken.START_OBJECT) {
        while (in.nextToken() == JsonToken.PROPERTY_NAME) {
          String token = in.currentName();
          if (in.nextToken() != JsonToken.VALUE_NUMBER_INT) {
            throw TextException.in(file, "model.vocab: expected an id, found " + in.currentToken());
          }
          put(file, ids, token, in.getLongValue());
        }
      } else { // Unigram: a list of [text, score], the place is the id
        JsonNode list = in.readValueAsTree();
        for (int id = 0; id < list.size(); id++) {
          put(file, ids, list.get(id).path(0).asString(""), id);
        }
      }
    }
  }

  private static void readAdded(
      String file,
      JsonNode list,
      Map<String, Integer> ids,
      Set<Integer> added,
      Set<Integer> special)
      throws TextException {
    for (JsonNode token : list.values()) {
      if (!token.path("content").isString() || !token.path("id").isIntegralNumber()) {
        throw TextException.in(file, "added_tokens: expected id and content, found " + token);
      }
      int id = put(file, ids, token.path("content").stringValue(), token.path("id").longValue());
      added.add(id);
      if (token.path("special").asBoolean(false)) {
        special.add(id);
      }
    }
  }

  private static int put(String file, Map<String, Integer> ids, String token, long id)
      throws TextException {
    if (id < 0 || id > MAX_ID) {
      throw TextException.in(
          file, "token '" + token + "': expected an id of 0 to " + MAX_ID + ", found " + id);
    }
    ids.put(token, (int) id);
    return (int) id;
  }

  private static Spelling spelling(String file, JsonNode decoder) throws TextException {
    String kinds = decoder.findValuesAsString("type").toString();
    if (kinds.contains("ByteLevel")) {
      return Spelling.BYTE_LEVEL;
    }
    if (kinds.contains("ByteFallback") || kinds.contains("Metaspace")) {
      return Spelling.SENTENCE_PIECE;
    }
    throw TextException.in(
        file, "decoder: expected ByteLevel, ByteFallback or Metaspace, found " + kinds);
  }

  /** What a decoder of type Strip, or a Metaspace with a prefix, takes away. */
  private static int leadingSpaces(JsonNode decoder) {
    for (JsonNode part : decoder.path("decoders").values()) {
      int spaces = leadingSpaces(part);
      if (spaces > 0) {
        return spaces;
      }
    }
    return switch (decoder.path("type").stringValue("")) {
      case "Strip" ->
          decoder.path("content").stringValue("").equals(" ")
              ? Math.max(0, decoder.path("start").intValue(0))
              : 0;
      case "Metaspace" ->
          decoder.path("prepend_scheme").stringValue("always").equals("never") ? 0 : 1;
      default -> 0;
    };
  }

  int size() {
    return texts.length;
  }

  /** The bytes of one token, not always whole characters; none for an unused id. */
  byte[] bytes(int id) {
    if (id < 0 || id >= texts.length) {
      throw new IllegalArgumentException(
          "token id: expected 0 to " + (texts.length - 1) + ", found " + id);
    }
    String text = texts[id];
    if (text == null) {
      return new byte[0];
    }
    return switch (spelling) {
      case BYTE_LEVEL ->
          added.contains(id) ? text.getBytes(StandardCharsets.UTF_8) : byteLevel(text);
      case SENTENCE_PIECE -> sentencePiece(text);
    };
  }

  /** A token with one character outside the alphabet is plain text. */
  private static byte[] byteLevel(String text) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(text.length());
    for (int i = 0; i < text.length(); i++) {
      Byte b = BYTE_OF.get(text.charAt(i));
      if (b == null) {
        return text.getBytes(StandardCharsets.UTF_8);
      }
      out.write(b);
    }
    return out.toByteArray();
  }

  private static byte[] sentencePiece(String text) {
    if (text.length() == 6 && text.startsWith("<0x") && text.endsWith(">")) {
      int high = Character.digit(text.charAt(3), 16);
      int low = Character.digit(text.charAt(4), 16);
      if (high >= 0 && low >= 0) {
        return new byte[] {(byte) (16 * high + low)};
      }
    }
    return text.replace('\u2581', ' ').getBytes(StandardCharsets.UTF_8);
  }

  private static Map<Character, Byte> byteLevelAlphabet() {
    Map<Character, Byte> map = new HashMap<>();
    int moved = BYTES;
    for (int b = 0; b < BYTES; b++) {
      boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      map.put((char) (printable ? b : moved++), (byte) b);
    }
    return Map.copyOf(map);
  }
}
