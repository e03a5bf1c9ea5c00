package dev.quern.text.jinja;

import java.util.List;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.function.Predicate;

/** The methods of str. Places are counted in code points, as Python counts them. */
final class TextMethods {
  static final Set<String> NAMES =
      Set.of(
          "capitalize",
          "casefold",
          "center",
          "count",
          "endswith",
          "expandtabs",
          "find",
          "format",
          "index",
          "isalnum",
          "isalpha",
          "isascii",
          "isdecimal",
          "isdigit",
          "islower",
          "isnumeric",
          "isprintable",
          "isspace",
          "istitle",
          "isupper",
          "join",
          "ljust",
          "lower",
          "lstrip",
          "partition",
          "removeprefix",
          "removesuffix",
          "replace",
          "rfind",
          "rindex",
          "rjust",
          "rpartition",
          "rsplit",
          "rstrip",
          "split",
          "splitlines",
          "startswith",
          "strip",
          "swapcase",
          "title",
          "upper",
          "zfill");

  private TextMethods() {}

  /**
   * @param name one of {@link #NAMES}
   */
  static Object call(String text, String name, Args args, Budget budget) {
    budget.characters(text.length());
    return switch (name) {
      case "strip" -> Text.strip(text, args.text(0, "chars", null), true, true, budget);
      case "lstrip" -> Text.strip(text, args.text(0, "chars", null), true, false, budget);
      case "rstrip" -> Text.strip(text, args.text(0, "chars", null), false, true, budget);
      case "split" ->
          Text.split(text, args.text(0, "sep", null), args.integer(1, "maxsplit", -1), budget);
      case "rsplit" ->
          Text.splitFromRight(
              text, args.text(0, "sep", null), args.integer(1, "maxsplit", -1), budget);
      case "splitlines" -> Text.lines(text, Values.truth(args.get(0, "keepends", false)));
      case "partition", "rpartition" ->
          partition(text, args.text(0, "sep"), name.equals("partition"), budget);
      case "startswith" -> anyOf(args, part(text, args, 1)::startsWith, budget);
      case "endswith" -> anyOf(args, part(text, args, 1)::endsWith, budget);
      case "replace" ->
          Text.replace(
              text, args.text(0, "old"), args.text(1, "new"), args.integer(2, "count", -1), budget);
      case "upper" -> Text.upper(text);
      case "lower", "casefold" -> Text.lower(text);
      case "title" -> Text.titleMethod(text);
      case "capitalize" -> Text.capitalize(text);
      case "swapcase" -> swapCase(text);
      case "join" -> join(text, args.required(0, "iterable"), budget);
      case "find", "rfind" -> place(text, args, name.equals("find"), budget);
      case "index", "rindex" -> {
        long hit = place(text, args, name.equals("index"), budget);
        if (hit < 0) {
          throw new TemplateException(name + ": substring not found");
        }
        yield hit;
      }
      case "count" -> {
        String within = part(text, args, 1);
        String wanted = args.text(0, "sub");
        yield wanted.isEmpty()
            ? Values.length(within) + 1
            : (long) Text.split(within, wanted, -1, budget).size() - 1;
      }
      case "format" -> Interpolation.braces(text, args, budget);
      case "center", "ljust", "rjust" -> {
        char align = name.equals("ljust") ? '<' : name.equals("rjust") ? '>' : '^';
        yield Format.padded(
            "", text, args.integer(0, "width", 0), align, args.text(1, "fillchar", " "), budget);
      }
      case "zfill" -> {
        boolean signed = text.startsWith("-") || text.startsWith("+");
        yield Format.padded(
            signed ? text.substring(0, 1) : "",
            signed ? text.substring(1) : text,
            args.integer(0, "width", 0),
            '=',
            "0",
            budget);
      }
      case "expandtabs" -> expandTabs(text, args.integer(0, "tabsize", 8), budget);
      case "isdigit", "isdecimal", "isnumeric" -> all(text, Character::isDigit);
      case "isalpha" -> all(text, Character::isLetter);
      case "isalnum" -> all(text, Character::isLetterOrDigit);
      case "isspace" -> all(text, Text::isSpace);
      case "isascii" -> text.chars().allMatch(c -> c < 0x80);
      case "isprintable" -> text.codePoints().allMatch(Text::isPrintable);
      case "isupper" -> Text.isUpper(text);
      case "islower" -> Text.isLower(text);
      case "istitle" -> !text.equals(swapCase(text)) && text.equals(Text.titleMethod(text));
      case "removeprefix" -> {
        String prefix = args.text(0, "prefix");
        yield text.startsWith(prefix) ? text.substring(prefix.length()) : text;
      }
      case "removesuffix" -> {
        String suffix = args.text(0, "suffix");
        yield text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
      }
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static boolean all(String text, IntPredicate holds) {
    return !text.isEmpty() && text.codePoints().allMatch(holds);
  }

  private static boolean anyOf(Args args, Predicate<String> matches, Budget budget) {
    if (args.required(0, "prefix") instanceof Tuple tuple) {
      for (Object part : tuple) {
        if (part instanceof String text) {
          budget.steps(1 + text.length() / 64);
          if (matches.test(text)) {
            return true;
          }
        }
      }
      return false;
    }
    return matches.test(args.text(0, "prefix"));
  }

  /** The part of a text that the arguments start and end, from {@code index} on, leave. */
  private static String part(String text, Args args, int index) {
    if (!args.has(index, "start")) {
      return text;
    }
    long size = Values.length(text);
    long from = bound(args.integer(index, "start", 0), size);
    long to = Math.max(from, bound(args.integer(index + 1, "end", size), size));
    int start = text.offsetByCodePoints(0, (int) from);
    return text.substring(start, text.offsetByCodePoints(start, (int) (to - from)));
  }

  private static long bound(long index, long size) {
    return Math.clamp(index < 0 ? index + size : index, 0, size);
  }

  private static long place(String text, Args args, boolean first, Budget budget) {
    String within = part(text, args, 1);
    String wanted = args.text(0, "sub");
    budget.search(within, wanted);
    int hit = first ? within.indexOf(wanted) : within.lastIndexOf(wanted);
    long skipped = bound(args.integer(1, "start", 0), Values.length(text));
    return hit < 0 ? -1 : skipped + within.codePointCount(0, hit);
  }

  private static Tuple partition(String text, String separator, boolean first, Budget budget) {
    if (separator.isEmpty()) {
      throw new TemplateException("partition: empty separator");
    }
    budget.search(text, separator);
    int hit = first ? text.indexOf(separator) : text.lastIndexOf(separator);
    if (hit < 0) {
      return new Tuple(first ? List.of(text, "", "") : List.of("", "", text));
    }
    return new Tuple(
        List.of(text.substring(0, hit), separator, text.substring(hit + separator.length())));
  }

  private static String join(String separator, Object values, Budget budget) {
    List<Object> parts = Values.elements(values, budget);
    for (Object part : parts) {
      if (!(part instanceof String)) {
        throw new TemplateException("join: expected text, found " + Values.typeName(part));
      }
    }
    return Filters.join(parts, separator, budget);
  }

  private static String swapCase(String text) {
    StringBuilder out = new StringBuilder(text.length());
    text.codePoints()
        .forEach(c -> {
          String one = Character.toString(c);
          out.append(Character.isUpperCase(c) ? Text.lower(one) : Text.upper(one));
        });
    return out.toString();
  }

  private static String expandTabs(String text, long size, Budget budget) {
    StringBuilder out = new StringBuilder(text.length());
    long column = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '\t') {
        long blanks = size <= 0 ? 0 : size - column % size;
        budget.characters(blanks);
        out.repeat(' ', (int) blanks);
        column += blanks;
      } else {
        out.append(c);
        column = c == '\n' || c == '\r' ? 0 : column + 1;
      }
    }
    return out.toString();
  }
}
