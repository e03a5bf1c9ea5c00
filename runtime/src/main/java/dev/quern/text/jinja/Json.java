package dev.quern.text.jinja;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The filter tojson as transformers defines it: json.dumps(value, ensure_ascii=False), with
 * ensure_ascii, indent, separators and sort_keys as arguments. Nothing is escaped for HTML.
 */
final class Json {
  private final Budget budget;
  private final String indent; // of one level; null writes one line
  private final String itemSeparator;
  private final String keySeparator;
  private final boolean sortKeys;
  private final boolean ascii;
  private final StringBuilder out = new StringBuilder();

  private Json(Budget budget, Args args) {
    this.budget = budget;
    ascii = Values.truth(args.get(0, "ensure_ascii", false));
    Object given = args.get(1, "indent", null);
    if (given instanceof String text) {
      indent = text;
    } else {
      long spaces = given == null ? 0 : args.integer(1, "indent", 0);
      budget.characters(spaces);
      indent = given == null ? null : " ".repeat(Math.toIntExact(Math.max(0, spaces)));
    }
    Object separators = args.get(2, "separators", null);
    boolean pair = separators instanceof List<?> list && list.size() == 2;
    itemSeparator =
        pair ? Values.text(((List<?>) separators).get(0), budget) : indent == null ? ", " : ",";
    keySeparator = pair ? Values.text(((List<?>) separators).get(1), budget) : ": ";
    sortKeys = Values.truth(args.get(3, "sort_keys", false));
  }

  static String write(Object value, Args args, Budget budget) {
    Json json = new Json(budget, args);
    json.value(value, 0);
    return json.out.toString();
  }

  private void value(Object value, int level) {
    budget.enter();
    switch (value) {
      case null -> out.append("null");
      case Boolean b -> out.append(b);
      case Long number -> out.append(number);
      case BigInteger number -> out.append(number);
      case Double number -> out.append(number(number));
      case String text -> string(text);
      case List<?> list -> {
        out.append('[');
        boolean first = true;
        for (Object element : list) {
          separate(first, level + 1);
          value(element, level + 1);
          first = false;
        }
        close(first, level, ']');
      }
      case Map<?, ?> map -> {
        Map<?, ?> ordered = sortKeys ? sorted(map) : map;
        out.append('{');
        boolean first = true;
        for (Map.Entry<?, ?> entry : ordered.entrySet()) {
          separate(first, level + 1);
          key(entry.getKey());
          out.append(keySeparator);
          value(entry.getValue(), level + 1);
          first = false;
        }
        close(first, level, '}');
      }
      default -> throw new TemplateException("tojson: cannot write " + Values.typeName(value));
    }
    budget.leave();
  }

  private Map<?, ?> sorted(Map<?, ?> map) {
    Map<Object, Object> sorted = new TreeMap<>((a, b) -> Values.compare(a, b, budget));
    sorted.putAll(map);
    return sorted;
  }

  private static String number(double value) {
    return switch (Values.number(value)) {
      case "nan" -> "NaN";
      case "inf" -> "Infinity";
      case "-inf" -> "-Infinity";
      case String text -> text;
    };
  }

  private void key(Object key) {
    switch (key) {
      case String text -> string(text);
      case null -> string("null");
      case Double number -> string(number(number));
      case Long number -> string(number.toString());
      default -> throw new TemplateException("tojson: a key cannot be of " + Values.typeName(key));
    }
  }

  private void separate(boolean first, int level) {
    if (!first) {
      out.append(itemSeparator);
    }
    newLine(level);
  }

  private void close(boolean empty, int level, char bracket) {
    if (!empty) {
      newLine(level);
    }
    out.append(bracket);
  }

  private void newLine(int level) {
    if (indent != null) {
      budget.characters((long) level * indent.length());
      out.append('\n').repeat(indent, level);
    }
  }

  private void string(String text) {
    budget.characters(text.length());
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\b' -> out.append("\\b");
        case '\f' -> out.append("\\f");
        default -> {
          if (c < ' ' || (ascii && c >= 0x7F)) {
            out.append("\\u%04x".formatted((int) c));
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }
}
