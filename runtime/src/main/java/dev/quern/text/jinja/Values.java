package dev.quern.text.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Python's values: None is null, int is Long, float is Double, str is String, list and tuple are
 * List, dict is Map. What Python does with them: truth, text, equality, order.
 */
final class Values {
  /** From 1e16 on, and below 1e-4, Python writes floats with an exponent. */
  private static final int MAX_PLAIN_EXPONENT = 16;

  private static final int MIN_PLAIN_EXPONENT = -4;

  private Values() {}

  /** A caller's value as one of a template: numbers widened, collections copied. */
  static Object fromJava(Object value, int depth) {
    if (depth < 0) {
      throw new TemplateException("a given value is nested too deep");
    }
    return switch (value) {
      case null -> null;
      case Boolean b -> b;
      case CharSequence text -> text.toString();
      case Double number -> number;
      case Float number -> (double) number;
      case BigDecimal number -> number.doubleValue();
      case BigInteger number ->
          number.bitLength() < Long.SIZE ? (Object) number.longValue() : number;
      case Number number -> number.longValue();
      case Map<?, ?> map -> {
        Map<Object, Object> copy = new LinkedHashMap<>();
        map.forEach((key, element) -> copy.put(fromJava(key, 0), fromJava(element, depth - 1)));
        yield copy;
      }
      case Iterable<?> list -> {
        List<Object> copy = new ArrayList<>();
        list.forEach(element -> copy.add(fromJava(element, depth - 1)));
        yield copy;
      }
      default ->
          throw new IllegalArgumentException(
              "a template cannot use a value of " + value.getClass().getName());
    };
  }

  static boolean truth(Object value) {
    return switch (value) {
      case null -> false;
      case Undefined u -> false;
      case Boolean b -> b;
      case Long number -> number != 0;
      case Double number -> number != 0;
      case String text -> !text.isEmpty();
      case List<?> list -> !list.isEmpty();
      case Map<?, ?> map -> !map.isEmpty();
      case View view -> !view.elements().isEmpty();
      default -> true;
    };
  }

  static String typeName(Object value) {
    return switch (value) {
      case null -> "None";
      case Undefined u -> "undefined";
      case Boolean b -> "bool";
      case Long number -> "int";
      case BigInteger number -> "int";
      case Double number -> "float";
      case String text -> "str";
      case Tuple tuple -> "tuple";
      case List<?> list -> "list";
      case Map<?, ?> map -> "dict";
      case Namespace n -> "namespace";
      case Loop loop -> "loop";
      case View view -> view.kind();
      case Stream stream -> "generator";
      case Cycler cycler -> "cycler";
      case Macro macro -> "Macro '" + macro.name() + "'";
      default -> "function";
    };
  }

  /** str(value) */
  static String text(Object value, Budget budget) {
    if (value instanceof String text) {
      return text;
    }
    StringBuilder out = new StringBuilder();
    if (!(value instanceof Undefined)) {
      repr(value, out, budget);
    }
    return out.toString();
  }

  /** repr(value) */
  static void repr(Object value, StringBuilder out, Budget budget) {
    budget.enter();
    int before = out.length();
    switch (value) {
      case null -> out.append("None");
      case Undefined u -> out.append("Undefined");
      case Boolean b -> out.append(b ? "True" : "False");
      case Long number -> out.append(number);
      case BigInteger number -> out.append(number);
      case Double number -> out.append(number(number));
      case String text -> quote(text, out);
      case View view -> {
        out.append(view.kind()).append('(');
        repr(view.elements(), out, budget);
        out.append(')');
      }
      case List<?> list -> {
        boolean tuple = list instanceof Tuple;
        out.append(tuple ? '(' : '[');
        String separator = "";
        for (Object element : list) {
          out.append(separator);
          repr(element, out, budget);
          separator = ", ";
        }
        out.append(tuple && list.size() == 1 ? "," : "").append(tuple ? ')' : ']');
      }
      case Map<?, ?> map -> {
        out.append('{');
        String separator = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
          out.append(separator);
          repr(entry.getKey(), out, budget);
          out.append(": ");
          repr(entry.getValue(), out, budget);
          separator = ", ";
        }
        out.append('}');
      }
      default -> out.append('<').append(typeName(value)).append('>');
    }
    budget.characters(value instanceof String ? out.length() - before : 8);
    budget.leave();
  }

  /** repr(float): the shortest digits that read back the same. */
  static String number(double value) {
    if (Double.isNaN(value)) {
      return "nan";
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "inf" : "-inf";
    }
    if (value == 0) {
      return 1 / value < 0 ? "-0.0" : "0.0";
    }
    BigDecimal exact = new BigDecimal(Double.toString(value)).stripTrailingZeros();
    String digits = exact.unscaledValue().abs().toString();
    int exponent = digits.length() - 1 - exact.scale();
    String sign = value < 0 ? "-" : "";
    if (exponent >= MAX_PLAIN_EXPONENT || exponent < MIN_PLAIN_EXPONENT) {
      String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
      String power = "%s%02d".formatted(exponent < 0 ? "-" : "+", Math.abs(exponent));
      return sign + digits.charAt(0) + fraction + "e" + power;
    }
    String plain = exact.abs().toPlainString();
    return sign + (plain.contains(".") ? plain : plain + ".0");
  }

  private static void quote(String text, StringBuilder out) {
    char quote = text.contains("'") && !text.contains("\"") ? '"' : '\'';
    out.append(quote);
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      switch (c) {
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\\' -> out.append("\\\\");
        default -> {
          if (c == quote) {
            out.append('\\').append(quote);
          } else if (Text.isPrintable(c)) {
            out.appendCodePoint(c);
          } else {
            out.append((c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x").formatted(c));
          }
        }
      }
    }
    out.append(quote);
  }

  static boolean equal(Object a, Object b, Budget budget) {
    budget.enter();
    try {
      if (isNumber(a) && isNumber(b)) {
        return compareNumbers(a, b) == 0 && !isNan(a);
      }
      if (a instanceof List<?> x && b instanceof List<?> y) {
        boolean same = x.size() == y.size() && (x instanceof Tuple) == (y instanceof Tuple);
        Iterator<?> other = y.iterator();
        for (Iterator<?> each = x.iterator(); same && each.hasNext(); ) {
          same = equal(each.next(), other.next(), budget);
        }
        return same;
      }
      if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
        boolean same = x.size() == y.size();
        for (Map.Entry<?, ?> entry : x.entrySet()) {
          Object key = key(entry.getKey(), budget);
          same = same && y.containsKey(key) && equal(entry.getValue(), y.get(key), budget);
        }
        return same;
      }
      if (a instanceof String x && b instanceof String y) {
        budget.steps(Math.min(x.length(), y.length()) / 64);
        return x.equals(y);
      }
      if (a instanceof View x && b instanceof View y) {
        return equal(x.elements(), y.elements(), budget);
      }
      if (a instanceof BigInteger) {
        return a.equals(b);
      }
      if (a instanceof Undefined && b instanceof Undefined) {
        return true;
      }
      return a == b;
    } finally {
      budget.leave();
    }
  }

  /** Negative, 0 or positive, as for a &lt; b, a == b, a &gt; b; NaN is not handled here. */
  static int compare(Object a, Object b, Budget budget) {
    if (isNumber(a) && isNumber(b)) {
      return compareNumbers(a, b);
    }
    if (a instanceof String x && b instanceof String y) {
      budget.steps(1 + Math.min(x.length(), y.length()) / 64);
      return compareCodePoints(x, y);
    }
    if (a instanceof List<?> x && b instanceof List<?> y) {
      budget.enter();
      try {
        for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
          if (!equal(x.get(i), y.get(i), budget)) {
            return compare(x.get(i), y.get(i), budget);
          }
        }
        return Integer.compare(x.size(), y.size());
      } finally {
        budget.leave();
      }
    }
    throw new TemplateException("cannot order " + typeName(a) + " and " + typeName(b));
  }

  /** Exact, also where a float cannot hold the integer beside it. */
  private static int compareNumbers(Object a, Object b) {
    if (!(a instanceof Double) && !(b instanceof Double)) {
      return Long.compare(toLong(a), toLong(b));
    }
    double x = toDouble(a);
    double y = toDouble(b);
    if (a instanceof Double && b instanceof Double || !Double.isFinite(x) || !Double.isFinite(y)) {
      return x == y ? 0 : Double.compare(x, y);
    }
    return exact(a).compareTo(exact(b));
  }

  private static BigDecimal exact(Object number) {
    return number instanceof Double d ? new BigDecimal(d) : BigDecimal.valueOf(toLong(number));
  }

  static boolean isNan(Object value) {
    return value instanceof Double d && d.isNaN();
  }

  /** Python orders by code point, String by UTF-16 unit: they differ above U+FFFF. */
  private static int compareCodePoints(String x, String y) {
    for (int i = 0; i < Math.min(x.length(), y.length()); i++) {
      char a = x.charAt(i);
      char b = y.charAt(i);
      if (a != b) {
        return Character.isSurrogate(a) != Character.isSurrogate(b)
            ? (Character.isSurrogate(a) ? 1 : -1)
            : Character.compare(a, b);
      }
    }
    return Integer.compare(x.length(), y.length());
  }

  static boolean isNumber(Object value) {
    return value instanceof Long || value instanceof Double || value instanceof Boolean;
  }

  static double toDouble(Object number) {
    return number instanceof Double d ? d : toLong(number);
  }

  static long toLong(Object number) {
    return number instanceof Boolean b ? (b ? 1 : 0) : (Long) number;
  }

  /** The elements of a list or generator, keys of a dict, characters of a text; a copy. */
  static List<Object> elements(Object value, Budget budget) {
    switch (value) {
      case List<?> list -> {
        budget.steps(list.size());
        return new ArrayList<>(list);
      }
      case Map<?, ?> map -> {
        budget.steps(map.size());
        return new ArrayList<>(map.keySet());
      }
      case String text -> {
        budget.steps(text.length());
        List<Object> characters = new ArrayList<>(text.length());
        text.codePoints().forEach(c -> characters.add(Character.toString(c)));
        return characters;
      }
      case View view -> {
        budget.steps(view.elements().size());
        return new ArrayList<>(view.elements());
      }
      case Stream stream -> {
        return stream.rest(budget);
      }
      case Undefined u -> {
        return new ArrayList<>();
      }
      case null, default -> throw new TemplateException("cannot loop over " + typeName(value));
    }
  }

  static long length(Object value) {
    return switch (value) {
      case String text -> text.codePointCount(0, text.length());
      case List<?> list -> list.size();
      case Map<?, ?> map -> map.size();
      case View view -> view.elements().size();
      case Undefined u -> 0;
      case null, default -> throw new TemplateException(typeName(value) + " has no length");
    };
  }

  /** A key of a dict: whole floats and booleans equal the integer, as in Python. */
  static Object key(Object value, Budget budget) {
    return switch (value) {
      case Boolean b -> (Object) (b ? 1L : 0L);
      case Double d when d == Math.rint(d) && Math.abs(d) < 1e15 -> (Object) d.longValue();
      case null -> null;
      default -> {
        if (!isKey(value, budget)) {
          throw new TemplateException("a " + typeName(value) + " cannot be a key");
        }
        yield value;
      }
    };
  }

  /** Whether a value can be a key; what can change cannot, nor a tuple of such. */
  static boolean isKey(Object value, Budget budget) {
    if (!(value instanceof Tuple tuple)) {
      return !(value instanceof List<?> || value instanceof Map<?, ?> || value instanceof View);
    }
    budget.enter();
    budget.steps(tuple.size());
    boolean all = tuple.stream().allMatch(element -> isKey(element, budget));
    budget.leave();
    return all;
  }
}
