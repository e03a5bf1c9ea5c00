package dev.quern.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/** The methods of str, dict and list that change nothing: a template cannot modify its input. */
final class Methods {
  private static final Set<String> OF_TEXT =
      Set.of(
          "strip",
          "lstrip",
          "rstrip",
          "split",
          "rsplit",
          "splitlines",
          "startswith",
          "endswith",
          "replace",
          "upper",
          "lower",
          "title",
          "capitalize",
          "join",
          "find",
          "rfind",
          "count",
          "index",
          "isdigit",
          "isalpha",
          "isspace",
          "isupper",
          "islower",
          "removeprefix",
          "removesuffix");
  private static final Set<String> OF_DICT = Set.of("items", "keys", "values", "get", "copy");
  private static final Set<String> OF_LIST = Set.of("index", "count", "copy");

  private Methods() {}

  /** The method bound to its value, or null where the value has none of that name. */
  static Callable find(Object target, String name, Budget budget) {
    return switch (target) {
      case String text when OF_TEXT.contains(name) -> args -> ofText(text, name, args, budget);
      case Map<?, ?> map when OF_DICT.contains(name) -> args -> ofDict(map, name, args, budget);
      case List<?> list when OF_LIST.contains(name) -> args -> ofList(list, name, args, budget);
      case null, default -> null;
    };
  }

  private static Object ofText(String text, String name, Args args, Budget budget) {
    budget.characters(text.length());
    return switch (name) {
      case "strip" -> Text.strip(text, args.text(0, "chars", null), true, true);
      case "lstrip" -> Text.strip(text, args.text(0, "chars", null), true, false);
      case "rstrip" -> Text.strip(text, args.text(0, "chars", null), false, true);
      case "split" ->
          Text.split(text, args.text(0, "sep", null), args.integer(1, "maxsplit", -1), budget);
      case "rsplit" ->
          Text.splitFromRight(
              text, args.text(0, "sep", " "), args.integer(1, "maxsplit", -1), budget);
      case "splitlines" -> Text.lines(text, Values.truth(args.get(0, "keepends", false)));
      case "startswith" -> anyOf(args, text::startsWith);
      case "endswith" -> anyOf(args, text::endsWith);
      case "replace" ->
          Text.replace(
              text, args.text(0, "old"), args.text(1, "new"), args.integer(2, "count", -1), budget);
      case "upper" -> Text.upper(text);
      case "lower" -> Text.lower(text);
      case "title" -> Text.titleMethod(text);
      case "capitalize" -> Text.capitalize(text);
      case "join" -> {
        List<Object> parts = Values.elements(args.required(0, "iterable"), budget);
        for (Object part : parts) {
          if (!(part instanceof String)) {
            throw new TemplateException("join: expected text, found " + Values.typeName(part));
          }
        }
        yield Filters.join(parts, text, budget);
      }
      case "find" -> place(text, text.indexOf(args.text(0, "sub")));
      case "rfind" -> place(text, text.lastIndexOf(args.text(0, "sub")));
      case "index" -> {
        int hit = text.indexOf(args.text(0, "sub"));
        if (hit < 0) {
          throw new TemplateException("index: substring not found");
        }
        yield place(text, hit);
      }
      case "count" -> {
        String part = args.text(0, "sub");
        yield part.isEmpty()
            ? Values.length(text) + 1
            : (long) Text.split(text, part, -1, budget).size() - 1;
      }
      case "isdigit" -> !text.isEmpty() && text.codePoints().allMatch(Character::isDigit);
      case "isalpha" -> !text.isEmpty() && text.codePoints().allMatch(Character::isLetter);
      case "isspace" -> !text.isEmpty() && text.codePoints().allMatch(Text::isSpace);
      case "isupper" -> text.equals(Text.upper(text)) && !text.equals(Text.lower(text));
      case "islower" -> text.equals(Text.lower(text)) && !text.equals(Text.upper(text));
      case "removeprefix" -> {
        String prefix = args.text(0, "prefix");
        yield text.startsWith(prefix) ? text.substring(prefix.length()) : text;
      }
      default -> { // removesuffix
        String suffix = args.text(0, "suffix");
        yield text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
      }
    };
  }

  private static boolean anyOf(Args args, Predicate<String> matches) {
    if (args.required(0, "prefix") instanceof Tuple tuple) {
      return tuple.stream().anyMatch(part -> part instanceof String text && matches.test(text));
    }
    return matches.test(args.text(0, "prefix"));
  }

  private static long place(String text, int hit) {
    return hit < 0 ? -1 : text.codePointCount(0, hit);
  }

  private static Object ofDict(Map<?, ?> map, String name, Args args, Budget budget) {
    budget.steps(name.equals("get") ? 1 : map.size());
    return switch (name) {
      case "items" -> Filters.items(map);
      case "keys" -> new ArrayList<Object>(map.keySet());
      case "values" -> new ArrayList<Object>(map.values());
      case "copy" -> new LinkedHashMap<Object, Object>(map);
      default -> { // get
        Object key = Values.key(args.required(0, "key"));
        yield map.containsKey(key) ? map.get(key) : args.get(1, "default", null);
      }
    };
  }

  private static Object ofList(List<?> list, String name, Args args, Budget budget) {
    if (name.equals("copy")) {
      return Values.elements(list, budget);
    }
    Object wanted = args.required(0, "value");
    long count = 0;
    for (int i = 0; i < list.size(); i++) {
      if (Values.equal(list.get(i), wanted, budget)) {
        if (name.equals("index")) {
          return (long) i;
        }
        count++;
      }
    }
    if (name.equals("index")) {
      throw new TemplateException("index: the value is not in the list");
    }
    return count;
  }
}
