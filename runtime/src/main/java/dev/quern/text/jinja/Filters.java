package dev.quern.text.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What stands after {@code |}. */
final class Filters {
  static final Set<String> NAMES =
      Set.of(
          "abs",
          "attr",
          "capitalize",
          "count",
          "d",
          "default",
          "dictsort",
          "e",
          "escape",
          "first",
          "float",
          "forceescape",
          "indent",
          "int",
          "items",
          "join",
          "last",
          "length",
          "list",
          "lower",
          "map",
          "max",
          "min",
          "reject",
          "rejectattr",
          "replace",
          "reverse",
          "round",
          "safe",
          "select",
          "selectattr",
          "sort",
          "string",
          "sum",
          "title",
          "tojson",
          "trim",
          "unique",
          "upper",
          "wordcount");

  private Filters() {}

  static Object apply(String name, Object value, Args args, Budget budget) {
    return switch (name) {
      case "default", "d" -> {
        boolean replace =
            value instanceof Undefined
                || (Values.truth(args.get(1, "boolean", false)) && !Values.truth(value));
        yield replace ? args.get(0, "default_value", "") : value;
      }
      case "length", "count" -> Values.length(value);
      case "string", "safe" -> Values.text(value, budget);
      case "tojson" -> Json.write(value, args, budget);
      case "trim" -> Text.strip(text(value, budget), args.text(0, "chars", null), true, true);
      case "upper" -> Text.upper(text(value, budget));
      case "lower" -> Text.lower(text(value, budget));
      case "title" -> Text.titleFilter(text(value, budget));
      case "capitalize" -> Text.capitalize(text(value, budget));
      case "escape", "e", "forceescape" -> Text.escape(text(value, budget), budget);
      case "replace" ->
          Text.replace(
              text(value, budget),
              args.text(0, "old"),
              args.text(1, "new"),
              args.integer(2, "count", -1),
              budget);
      case "indent" -> indent(text(value, budget), args, budget);
      case "wordcount" -> (long) Text.split(text(value, budget), null, -1, budget).size();
      case "join" -> {
        List<Object> parts = Values.elements(value, budget);
        if (args.has(1, "attribute")) {
          String path = args.text(1, "attribute");
          parts.replaceAll(part -> attribute(part, path, budget));
        }
        yield join(parts, args.text(0, "d", ""), budget);
      }
      case "first" -> edge(value, 0, budget);
      case "last" -> edge(value, -1, budget);
      case "list" -> Values.elements(value, budget);
      case "items" -> {
        if (value instanceof Undefined) {
          yield new ArrayList<Object>();
        }
        if (value instanceof Map<?, ?> map) {
          budget.steps(map.size());
          yield items(map);
        }
        throw new TemplateException("items: expected a dict, found " + Values.typeName(value));
      }
      case "reverse" ->
          value instanceof String
              ? Operators.slice(value, null, null, -1L, budget)
              : Values.elements(value, budget).reversed();
      case "map" -> map(value, args, budget);
      case "select", "reject", "selectattr", "rejectattr" -> select(name, value, args, budget);
      case "dictsort" -> dictSort(value, args, budget);
      case "sort" -> sort(value, args, budget);
      case "min", "max" -> extreme(value, name.equals("max"), budget);
      case "sum" -> {
        Object total = args.get(1, "start", 0L);
        for (Object element : Values.elements(value, budget)) {
          Object part =
              args.has(0, "attribute")
                  ? attribute(element, args.text(0, "attribute"), budget)
                  : element;
          total = Operators.binary("+", total, part, budget);
        }
        yield total;
      }
      case "unique" -> unique(value, budget);
      case "attr" -> Operators.attribute(value, args.text(0, "name"));
      case "int" -> toInt(value, args.get(0, "default", 0L));
      case "float" -> toFloat(value, args.get(0, "default", 0.0));
      case "abs" -> abs(value);
      case "round" -> round(value, args);
      default -> throw new TemplateException("unknown filter '" + name + "'");
    };
  }

  private static String text(Object value, Budget budget) {
    String text = Values.text(value, budget);
    budget.characters(text.length());
    return text;
  }

  private static String indent(String text, Args args, Budget budget) {
    String by;
    if (args.get(0, "width", 4L) instanceof String given) {
      by = given;
    } else {
      long width = args.integer(0, "width", 4);
      budget.characters(Math.max(0, width));
      by = " ".repeat((int) Math.max(0, width));
    }
    boolean first = Values.truth(args.get(1, "first", false));
    return Text.indent(text, by, first, Values.truth(args.get(2, "blank", false)), budget);
  }

  static String join(List<Object> parts, String separator, Budget budget) {
    StringBuilder out = new StringBuilder();
    boolean first = true;
    for (Object part : parts) {
      String text = Values.text(part, budget);
      budget.characters((long) separator.length() + text.length());
      out.append(first ? "" : separator).append(text);
      first = false;
    }
    return out.toString();
  }

  static List<Object> items(Map<?, ?> map) {
    List<Object> items = new ArrayList<>(map.size());
    map.forEach((key, value) -> items.add(Tuple.of(key, value)));
    return items;
  }

  private static Object edge(Object value, int index, Budget budget) {
    List<Object> elements = Values.elements(value, budget);
    if (elements.isEmpty()) {
      return new Undefined(index == 0 ? "first item of nothing" : "last item of nothing");
    }
    return index == 0 ? elements.getFirst() : elements.getLast();
  }

  /** {@code a.b.0} of an element. */
  private static Object attribute(Object element, String path, Budget budget) {
    Object value = element;
    for (Object part : Text.split(path, ".", -1, budget)) {
      String name = (String) part;
      boolean index = !name.isEmpty() && name.chars().allMatch(c -> c >= '0' && c <= '9');
      if (index && name.length() < 10) {
        value = Operators.item(value, Long.parseLong(name), budget);
      } else {
        value = Operators.attribute(value, name);
      }
    }
    return value;
  }

  private static Object map(Object value, Args args, Budget budget) {
    List<Object> elements = Values.elements(value, budget);
    if (args.positional().isEmpty()) {
      String path = args.text(0, "attribute");
      boolean hasDefault = args.named().containsKey("default");
      elements.replaceAll(element -> {
        Object found = attribute(element, path, budget);
        return hasDefault && found instanceof Undefined ? args.named().get("default") : found;
      });
    } else {
      String filter = args.text(0, "filter");
      Args rest = args.rest(filter, 1);
      elements.replaceAll(element -> apply(filter, element, rest, budget));
    }
    return elements;
  }

  private static Object select(String name, Object value, Args args, Budget budget) {
    boolean byAttribute = name.endsWith("attr");
    String path = byAttribute ? args.text(0, "attribute") : null;
    int skip = byAttribute ? 1 : 0;
    String test = args.positional().size() > skip ? args.text(skip, "test") : null;
    Args rest = args.rest(name, skip + 1);
    boolean keep = name.startsWith("select");
    List<Object> elements = Values.elements(value, budget);
    elements.removeIf(element -> {
      Object tested = byAttribute ? attribute(element, path, budget) : element;
      boolean holds = test == null ? Values.truth(tested) : Tests.holds(test, tested, rest, budget);
      return holds != keep;
    });
    return elements;
  }

  private static Object dictSort(Object value, Args args, Budget budget) {
    if (!(value instanceof Map<?, ?> map)) {
      throw new TemplateException("dictsort: expected a dict, found " + Values.typeName(value));
    }
    budget.steps(map.size());
    boolean caseSensitive = Values.truth(args.get(0, "case_sensitive", false));
    int by = args.text(1, "by", "key").equals("key") ? 0 : 1;
    List<Object> items = items(map);
    items.sort(
        direction(
            Comparator.comparing(
                item -> ignoreCase(((Tuple) item).get(by), caseSensitive),
                (a, b) -> Values.compare(a, b, budget)),
            Values.truth(args.get(2, "reverse", false))));
    return items;
  }

  private static Object sort(Object value, Args args, Budget budget) {
    boolean caseSensitive = Values.truth(args.get(1, "case_sensitive", false));
    String path = args.text(2, "attribute", null);
    List<Object> elements = Values.elements(value, budget);
    elements.sort(
        direction(
            Comparator.comparing(
                element ->
                    ignoreCase(
                        path == null ? element : attribute(element, path, budget), caseSensitive),
                (a, b) -> Values.compare(a, b, budget)),
            Values.truth(args.get(0, "reverse", false))));
    return elements;
  }

  private static Comparator<Object> direction(Comparator<Object> order, boolean reverse) {
    return reverse ? order.reversed() : order;
  }

  private static Object ignoreCase(Object value, boolean caseSensitive) {
    return value instanceof String text && !caseSensitive ? Text.lower(text) : value;
  }

  private static Object extreme(Object value, boolean largest, Budget budget) {
    List<Object> elements = Values.elements(value, budget);
    Object best = elements.isEmpty() ? new Undefined("item of nothing") : elements.getFirst();
    for (Object element : elements) {
      int order = Values.compare(ignoreCase(element, false), ignoreCase(best, false), budget);
      if (largest ? order > 0 : order < 0) {
        best = element;
      }
    }
    return best;
  }

  private static Object unique(Object value, Budget budget) {
    List<Object> kept = new ArrayList<>();
    for (Object element : Values.elements(value, budget)) {
      Object folded = ignoreCase(element, false);
      boolean seen = false;
      for (Object other : kept) {
        seen = seen || Values.equal(ignoreCase(other, false), folded, budget);
      }
      if (!seen) {
        kept.add(element);
      }
    }
    return kept;
  }

  private static Object toInt(Object value, Object standard) {
    return switch (value) {
      case Double d when Double.isFinite(d) -> (Object) d.longValue();
      case Long number -> number;
      case Boolean bool -> Values.toLong(bool);
      case String text -> {
        try {
          yield Long.parseLong(text.strip());
        } catch (NumberFormatException e) {
          Object number = toFloat(text, null);
          yield number instanceof Double d && Double.isFinite(d) ? d.longValue() : standard;
        }
      }
      case null, default -> standard;
    };
  }

  private static Object toFloat(Object value, Object standard) {
    if (Values.isNumber(value)) {
      return Values.toDouble(value);
    }
    if (value instanceof String text) {
      String digits = text.strip();
      // Java reads more than Python does, such as 1f and 0x1p3
      if (digits.matches("[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?")) {
        return Double.parseDouble(digits);
      }
    }
    return standard;
  }

  private static Object abs(Object value) {
    return switch (value) {
      case Double d -> (Object) Math.abs(d);
      case Long number -> Math.absExact(number);
      case Boolean bool -> Values.toLong(bool);
      case null, default ->
          throw new TemplateException("abs: expected a number, found " + Values.typeName(value));
    };
  }

  /** Rounds halves to even, as Python does. */
  private static Object round(Object value, Args args) {
    if (!Values.isNumber(value)) {
      throw new TemplateException("round: expected a number, found " + Values.typeName(value));
    }
    double number = Values.toDouble(value);
    if (!Double.isFinite(number)) {
      return number;
    }
    int precision = (int) Math.clamp(args.integer(0, "precision", 0), -400, 400);
    RoundingMode mode =
        switch (args.text(1, "method", "common")) {
          case "ceil" -> RoundingMode.CEILING;
          case "floor" -> RoundingMode.FLOOR;
          default -> RoundingMode.HALF_EVEN;
        };
    return new BigDecimal(number).setScale(precision, mode).doubleValue();
  }
}
