package dev.quern.text.jinja;

/** What a missing name or item is: prints as nothing, is false and empty, and nothing else. */
record Undefined(String name) {
  TemplateException failure() {
    return new TemplateException("'" + name + "' is undefined");
  }
}
