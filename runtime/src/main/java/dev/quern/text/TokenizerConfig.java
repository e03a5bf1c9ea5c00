package dev.quern.text;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * What stands beside {@code tokenizer.json}: special tokens and where generation ends.
 *
 * @param specialTokens role to text, such as {@code bos_token} to {@code <s>}
 * @param addBos what {@code add_bos_token} says; empty: the post-processor of tokenizer.json
 *     decides
 * @param eosIds {@code eos_token_id} of generation_config.json and config.json
 */
record TokenizerConfig(
    Map<String, String> specialTokens, Optional<Boolean> addBos, Set<Integer> eosIds) {
  private static final String[] ROLES = {
    "bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"
  };

  static TokenizerConfig read(Path folder) throws IOException {
    JsonNode config = JsonFiles.readObjectIfPresent(folder.resolve("tokenizer_config.json"));
    Map<String, String> special = new LinkedHashMap<>();
    for (String role : ROLES) {
      JsonNode token = config.path(role);
      JsonNode content = token.isObject() ? token.path("content") : token;
      if (content.isString()) {
        special.put(role, content.stringValue());
      }
    }
    JsonNode addBos = config.path("add_bos_token");
    Set<Integer> eosIds = new LinkedHashSet<>();
    for (String name : new String[] {"generation_config.json", "config.json"}) {
      Path file = folder.resolve(name);
      JsonNode root = JsonFiles.readObjectIfPresent(file);
      addIds(file, root.path("eos_token_id"), eosIds);
      addIds(file, root.path("text_config").path("eos_token_id"), eosIds);
    }
    return new TokenizerConfig(
        Map.copyOf(special),
        addBos.isBoolean() ? Optional.of(addBos.booleanValue()) : Optional.empty(),
        Set.copyOf(eosIds));
  }

  private static void addIds(Path file, JsonNode value, Set<Integer> ids) throws TextException {
    if (value.isArray()) {
      for (JsonNode element : value.values()) {
        addIds(file, element, ids);
      }
    } else if (value.isInt() && value.intValue() >= 0) {
      ids.add(value.intValue());
    } else if (!value.isMissingNode() && !value.isNull()) {
      throw TextException.in(
          file, "eos_token_id: expected an id or a list of ids, found " + value.toString());
    }
  }
}
