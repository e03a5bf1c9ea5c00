package dev.quern.text;

import tools.jackson.databind.JsonNode;

/**
 * The {@code post_processor} of a {@code tokenizer.json}. The native library takes for granted what
 * is checked here; where it is not so, it ends the JVM when it encodes. It tells processors apart
 * by their fields, whatever {@code type} says.
 *
 * <p>Source: github.com/huggingface/tokenizers, v0.21.4, tokenizers/src/processors/template.rs.
 */
final class PostProcessor {
  private PostProcessor() {}

  /**
   * @param file for messages
   * @throws TextException if the library could not use it for one text
   */
  static void check(String file, JsonNode processor) throws TextException {
    int templates = checkedTemplates(file, processor);
    if (templates > 1) { // each takes one or two texts, but the first gives any number of pieces
      throw TextException.in(
          file, "post_processor: expected at most one TemplateProcessing, found " + templates);
    }
  }

  private static int checkedTemplates(String file, JsonNode processor) throws TextException {
    if (processor.isNull()) {
      return 0;
    }
    if (!processor.isObject()) {
      throw TextException.in(
          file, "post_processor: expected an object, found " + processor.getNodeType());
    }
    int templates = 0;
    if (processor.has("single")) {
      checkTemplate(file, processor.path("single"), processor.path("special_tokens"));
      templates++;
    }
    for (JsonNode part : processor.path("processors").values()) {
      templates += checkedTemplates(file, part);
    }
    return templates;
  }

  private static void checkTemplate(String file, JsonNode single, JsonNode tokens)
      throws TextException {
    for (JsonNode piece : single.values()) {
      JsonNode token = piece.path("SpecialToken").path("id");
      boolean isText = piece.path("Sequence").path("id").stringValue("").equals("A");
      boolean isToken = token.isString() && tokens.has(token.stringValue());
      if (!isText && !isToken) {
        throw TextException.in(
            file,
            "post_processor, single: expected Sequence A or a token of special_tokens, found "
                + piece);
      }
    }
    for (JsonNode token : tokens.values()) {
      for (JsonNode id : token.path("ids").values()) {
        if (!id.isIntegralNumber() || !id.canConvertToInt() || id.intValue() < 0) {
          throw TextException.in(
              file,
              "post_processor, special_tokens: expected ids of 0 to "
                  + Integer.MAX_VALUE
                  + ", found "
                  + id);
        }
      }
    }
  }
}
