package dev.quern.text.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** {@code namespace()}: the one value whose attributes a template can set. */
record Namespace(Map<String, Object> attributes) {
  Namespace() {
    this(new LinkedHashMap<>());
  }
}
