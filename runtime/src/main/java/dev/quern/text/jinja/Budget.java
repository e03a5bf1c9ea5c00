package dev.quern.text.jinja;

/** What is left of the {@link Limits} while one template is rendered. */
final class Budget {
  private final Limits limits;
  private long steps;
  private long characters;
  private int depth;

  Budget(Limits limits) {
    this.limits = limits;
  }

  /** Before work on {@code count} elements. */
  void steps(long count) {
    if (count < 0 || count > limits.steps() - steps) {
      throw new TemplateException("the template takes more than " + limits.steps() + " steps");
    }
    steps += count;
  }

  /** Before a text of {@code count} characters is made. */
  void characters(long count) {
    if (count < 0 || count > limits.characters() - characters) {
      throw new TemplateException(
          "the template makes texts of more than " + limits.characters() + " characters");
    }
    characters += count;
  }

  /** Before a part is looked for in a text, which may compare all of it at every place. */
  void search(String text, String part) {
    long places = Math.max(0, text.length() - (long) part.length() + 1);
    steps(text.length() / 16 + places * part.length() / 64);
  }

  void output(long length) {
    if (length > limits.outputCharacters()) {
      throw new TemplateException(
          "the output is longer than " + limits.outputCharacters() + " characters");
    }
  }

  void enter() {
    steps(1);
    if (++depth > limits.depth()) {
      throw new TemplateException("nested deeper than " + limits.depth());
    }
  }

  void leave() {
    depth--;
  }
}
