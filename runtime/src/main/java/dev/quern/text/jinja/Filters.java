package dev.quern.text.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** What stands after {@code |}. */
final class Filters {
  static final Set<String> NAMES =
      Set.of(
          "abs",
          "attr",
          "batch",
          "capitalize",
          "center",
          "count",
          "d",
          "default",
          "dictsort",
          "e",
          "escape",
          "first",
          "float",
          "forceescape",
          "format",
          "groupby",
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
          "slice",
          "sort",
          "string",
          "striptags",
          "sum",
          "title",
          "tojson",
          "trim",
          "truncate",
          "unique",
          "upper",
          "urlencode",
          "wordcount");

  /** Java reads more than Python does, such as 1f and 0x1p3. Possessive: never tried twice. */
  private static final Pattern DECIMAL =
      Pattern.compile("[+-]?+(\\d++(\\.\\d*+)?+|\\.\\d++)(e[+-]?+\\d++)?+");

  private static final Pattern WORD = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS);

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
      case "trim" ->
          Text.strip(text(value, budget), args.text(0, "chars", null), true, true, budget);
      case "upper" -> Text.upper(text(value, budget));
      case "lower" -> Text.lower(text(value, budget));
      case "title" -> Text.titleFilter(text(value, budget));
      case "capitalize" -> Text.capitalize(text(value, budget));
      case "escape", "e", "forceescape" -> Text.escape(text(value, budget), budget);
      case "replace" ->
          Text.replace(
              text(value, budget),
              Values.text(args.required(0, "old"), budget),
              Values.text(args.required(1, "new"), budget),
              args.integer(2, "count", -1),
              budget);
      case "indent" -> indent(text(value, budget), args, budget);
      case "center" ->
          Format.padded("", text(value, budget), args.integer(0, "width", 80), '^', " ", budget);
      case "truncate" -> truncate(text(value, budget), args);
      case "format" -> {
        boolean byName = !args.named().isEmpty();
        yield Interpolation.percent(
            text(value, budget), byName ? args.named() : new Tuple(args.positional()), budget);
      }
      case "striptags" -> {
        String bare = Text.without(text(value, budget), "<!--", "-->");
        yield join(Text.split(Text.without(bare, "<", ">"), null, -1, budget), " ", budget);
      }
      case "urlencode" -> urlEncode(value, budget);
      case "wordcount" -> WORD.matcher(text(value, budget)).results().count();
      case "join" -> {
        List<Object> parts = Values.elements(value, budget);
        if (args.has(1, "attribute")) {
          Object path = args.get(1, "attribute", null);
          parts.replaceAll(part -> SequenceFilters.attribute(part, path, budget));
        }
        yield join(parts, Values.text(args.get(0, "d", ""), budget), budget);
      }
      case "first" -> {
        if (value instanceof Stream stream) {
          yield stream.elements().hasNext()
              ? stream.elements().next()
              : new Undefined("first item of nothing");
        }
        List<Object> elements = Values.elements(value, budget);
        yield elements.isEmpty() ? new Undefined("first item of nothing") : elements.getFirst();
      }
      case "last" -> {
        List<Object> elements = reversible(name, value, budget);
        yield elements.isEmpty() ? new Undefined("last item of nothing") : elements.getLast();
      }
      case "list" -> Values.elements(value, budget);
      case "items" -> {
        if (value instanceof Undefined) {
          yield Stream.of(List.of());
        }
        if (value instanceof Map<?, ?> map) {
          budget.steps(map.size());
          yield Stream.of(items(map));
        }
        throw new TemplateException("items: expected a dict, found " + Values.typeName(value));
      }
      case "reverse" ->
          value instanceof String
              ? Operators.slice(value, null, null, -1L, budget)
              : Stream.of(reversible(name, value, budget).reversed());
      case "map" -> SequenceFilters.map(value, args, budget);
      case "select", "reject", "selectattr", "rejectattr" ->
          SequenceFilters.select(name, value, args, budget);
      case "dictsort" -> SequenceFilters.dictSort(value, args, budget);
      case "sort" -> SequenceFilters.sort(value, args, budget);
      case "min", "max" -> SequenceFilters.extreme(value, name.equals("max"), args, budget);
      case "unique" -> SequenceFilters.unique(value, args, budget);
      case "groupby" -> SequenceFilters.groupBy(value, args, budget);
      case "batch" -> SequenceFilters.batch(value, args, budget);
      case "slice" -> SequenceFilters.slice(value, args, budget);
      case "sum" -> {
        Object total = args.get(1, "start", 0L);
        Object path = args.get(0, "attribute", null);
        for (Object element : Values.elements(value, budget)) {
          Object part = path == null ? element : SequenceFilters.attribute(element, path, budget);
          total = Operators.binary("+", total, part, budget);
        }
        yield total;
      }
      case "attr" -> Operators.attribute(value, args.text(0, "name"), budget);
      case "int" -> toInt(value, args.get(0, "default", 0L), args.integer(1, "base", 10));
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

  private static List<Object> reversible(String name, Object value, Budget budget) {
    if (value instanceof Stream) {
      throw new TemplateException(name + ": a generator has no end; make it a list first");
    }
    return Values.elements(value, budget);
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

  private static String truncate(String text, Args args) {
    long length = args.integer(0, "length", 255);
    String end = args.text(2, "end", "...");
    long kept = length - Values.length(end);
    if (kept < 0) {
      throw new TemplateException("truncate: length: expected at least " + Values.length(end));
    }
    if (Values.length(text) - length <= args.integer(3, "leeway", 5)) {
      return text;
    }
    String head = Format.cut(text, (int) Math.min(kept, Integer.MAX_VALUE));
    int lastBlank = head.lastIndexOf(' ');
    boolean whole = Values.truth(args.get(1, "killwords", false)) || lastBlank < 0;
    return (whole ? head : head.substring(0, lastBlank)) + end;
  }

  /** A text, or the pairs of a dict or list as a query. */
  private static String urlEncode(Object value, Budget budget) {
    if (value instanceof String || !(value instanceof Map<?, ?> || value instanceof List<?>)) {
      return quoted(text(value, budget), budget).replace("%2F", "/");
    }
    List<Object> pairs = new ArrayList<>();
    List<Object> items =
        value instanceof Map<?, ?> map ? items(map) : Values.elements(value, budget);
    for (Object item : items) {
      List<Object> pair = Values.elements(item, budget);
      if (pair.size() != 2) {
        throw new TemplateException("urlencode: expected pairs");
      }
      pairs.add(
          quoted(text(pair.getFirst(), budget), budget)
              + "="
              + quoted(text(pair.getLast(), budget), budget));
    }
    return join(pairs, "&", budget).replace("%20", "+");
  }

  private static String quoted(String text, Budget budget) {
    budget.characters(9L * text.length());
    return URLEncoder.encode(text, StandardCharsets.UTF_8)
        .replace("+", "%20")
        .replace("*", "%2A")
        .replace("%7E", "~");
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

  private static Object toInt(Object value, Object standard, long base) {
    return switch (value) {
      case Double d when Double.isFinite(d) -> (Object) d.longValue();
      case Long number -> number;
      case BigInteger number -> number;
      case Boolean bool -> Values.toLong(bool);
      case Undefined undefined -> throw undefined.failure();
      case String text -> {
        try {
          yield Long.parseLong(digits(text.strip(), base), (int) Math.clamp(base, 2, 36));
        } catch (NumberFormatException e) {
          Object number = toFloat(text, null);
          yield number instanceof Double d && Double.isFinite(d) ? d.longValue() : standard;
        }
      }
      case null, default -> standard;
    };
  }

  /** Less the prefix of the base and the single underscores that Python allows before digits. */
  private static String digits(String text, long base) {
    String prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : null;
    boolean prefixed = prefix != null && Text.lower(text).startsWith(prefix);
    return prefixed
        ? text.substring(2).replaceAll("(?<=^|[^\\W_])_(?=[^\\W_])", "")
        : text.replaceAll("(?<=[^\\W_])_(?=[^\\W_])", "");
  }

  private static Object toFloat(Object value, Object standard) {
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (Values.isNumber(value)) {
      return Values.toDouble(value);
    }
    if (value instanceof String text) {
      String digits = Text.lower(text.strip()).replaceAll("(?<=\\d)_(?=\\d)", "");
      if (DECIMAL.matcher(digits).matches()) {
        return Double.parseDouble(digits);
      }
      return switch (digits) {
        case "inf", "+inf", "infinity", "+infinity" -> Double.POSITIVE_INFINITY;
        case "-inf", "-infinity" -> Double.NEGATIVE_INFINITY;
        case "nan", "+nan", "-nan" -> Double.NaN;
        default -> standard;
      };
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

  /** Rounds halves to even, as Python does; an integer stays one. */
  private static Object round(Object value, Args args) {
    if (!Values.isNumber(value)) {
      throw new TemplateException("round: expected a number, found " + Values.typeName(value));
    }
    String method = args.text(1, "method", "common");
    int precision = (int) Math.clamp(args.integer(0, "precision", 0), -400, 400);
    double number = Values.toDouble(value);
    if (!Double.isFinite(number)) {
      return number;
    }
    double scale = Math.pow(10, precision);
    return switch (method) {
      case "ceil" -> Math.ceil(number * scale) / scale;
      case "floor" -> Math.floor(number * scale) / scale;
      case "common" -> {
        boolean whole = !(value instanceof Double);
        if (whole && precision >= 0) {
          yield Values.toLong(value);
        }
        BigDecimal exact =
            whole ? BigDecimal.valueOf(Values.toLong(value)) : new BigDecimal(number);
        BigDecimal rounded = exact.setScale(precision, RoundingMode.HALF_EVEN);
        yield whole ? (Object) rounded.longValueExact() : (Object) rounded.doubleValue();
      }
      default ->
          throw new TemplateException(
              "round: method: expected common, ceil or floor, found " + method);
    };
  }
}
