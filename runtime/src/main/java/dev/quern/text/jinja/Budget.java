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
    steps += count;
    if (count < 0 || steps > limits.steps()) {
      throw new TemplateException("the template takes more than " + limits.steps() + " steps");
    }
  }

  /** Before a text of {@code count} characters is made. */
  void characters(long count) {
    characters += count;
    if (count < 0 || characters > limits.characters()) {
      throw new TemplateException(
          "the template makes texts of more than " + limits.characters() + " characters");
    }
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
