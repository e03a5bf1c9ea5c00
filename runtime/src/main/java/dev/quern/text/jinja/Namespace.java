package dev.quern.text.jinja;

import java.util.Map;

/**
 * {@code namespace()}: the one value whose attributes a template can set. It may hold itself, so it
 * equals nothing else.
 */
final class Namespace {
  private final Map<Object, Object> attributes;

  Namespace(Map<Object, Object> attributes) {
    this.attributes = attributes;
  }

  Map<Object, Object> attributes() {
    return attributes;
  }
}
