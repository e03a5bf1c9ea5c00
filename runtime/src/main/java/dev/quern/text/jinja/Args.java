package dev.quern.text.jinja;

import java.util.List;
import java.util.Map;

/**
 * Evaluated arguments of a call.
 *
 * @param callee for messages
 */
record Args(String callee, List<Object> positional, Map<String, Object> named) {
  static Args none(String callee) {
    return new Args(callee, List.of(), Map.of());
  }

  boolean has(int index, String name) {
    return index < positional.size() || named.containsKey(name);
  }

  Object get(int index, String name, Object standard) {
    return index < positional.size() ? positional.get(index) : named.getOrDefault(name, standard);
  }

  Object required(int index, String name) {
    if (!has(index, name)) {
      throw new TemplateException(callee + ": argument '" + name + "' is missing");
    }
    return get(index, name, null);
  }

  String text(int index, String name) {
    return asText(name, required(index, name));
  }

  String text(int index, String name, String standard) {
    Object value = get(index, name, standard);
    return value == null ? standard : asText(name, value);
  }

  private String asText(String name, Object value) {
    if (value instanceof String text) {
      return text;
    }
    throw new TemplateException(
        callee + ": " + name + ": expected text, found " + Values.typeName(value));
  }

  long integer(int index, String name, long standard) {
    Object value = get(index, name, standard);
    if (value == null) {
      return standard;
    }
    if (value instanceof Long number) {
      return number;
    }
    if (value instanceof Boolean bool) {
      return bool ? 1 : 0;
    }
    throw new TemplateException(
        callee + ": " + name + ": expected an integer, found " + Values.typeName(value));
  }

  /** The arguments from the second on, for a filter or test that this one names. */
  Args rest(String callee, int skip) {
    return new Args(
        callee, positional.subList(Math.min(skip, positional.size()), positional.size()), named);
  }
}
