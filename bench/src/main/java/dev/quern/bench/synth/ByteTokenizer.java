package dev.quern.bench.synth;

import dev.quern.format.Json;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/**
 * A {@code tokenizer.json} whose first 256 tokens are the bytes and whose others are named {@code
 * <t256>} and so on, so that a random model of any vocabulary reads and writes text.
 */
final class ByteTokenizer {
  static final int BYTES = 256;

  private ByteTokenizer() {}

  static String json(int vocabSize) {
    ObjectNode root = Json.mapper().createObjectNode();
    root.put("version", "1.0").putNull("truncation").putNull("padding");
    root.putArray("added_tokens");
    root.putNull("normalizer");
    byteLevel(root.putObject("pre_tokenizer"));
    byteLevel(root.putObject("post_processor"));
    byteLevel(root.putObject("decoder"));
    ObjectNode model = root.putObject("model");
    model.put("type", "BPE").putNull("dropout").putNull("unk_token");
    model.put("continuing_subword_prefix", "").put("end_of_word_suffix", "");
    model.put("fuse_unk", false).put("byte_fallback", false).put("ignore_merges", false);
    ObjectNode vocabulary = model.putObject("vocab");
    List<String> tokens = tokens(vocabSize);
    for (int id = 0; id < vocabSize; id++) {
      vocabulary.put(tokens.get(id), id);
    }
    model.putArray("merges");
    return root.toString();
  }

  /** By id. */
  static List<String> tokens(int vocabSize) {
    List<String> tokens = new ArrayList<>(vocabSize);
    int shifted = 0;
    for (int b = 0; b < BYTES; b++) {
      // GPT-2's byte-level alphabet: printable bytes stand for themselves, the rest for U+0100
      // onwards.
      boolean printable = b > ' ' && b <= '~' || b >= 0xA1 && b != 0xAD;
      tokens.add(String.valueOf((char) (printable ? b : BYTES + shifted++)));
    }
    for (int id = BYTES; id < vocabSize; id++) {
      tokens.add("<t" + id + ">");
    }
    return tokens;
  }

  private static void byteLevel(ObjectNode node) {
    node.put("type", "ByteLevel").put("add_prefix_space", false);
    node.put("trim_offsets", false).put("use_regex", false);
  }
}
