package dev.quern.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The methods of dict and list, and those of str by {@link TextMethods}. A template may change the
 * lists and dicts that it is given or makes, as other engines let it, though the sandbox of
 * transformers does not: the caller's own values are copies.
 */
final class Methods {
  private static final Set<String> OF_DICT =
      Set.of("items", "keys", "values", "get", "copy", "clear", "pop", "setdefault", "update");
  private static final Set<String> OF_TUPLE = Set.of("index", "count");
  private static final Set<String> OF_LIST =
      Set.of(
          "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove",
          "reverse", "sort");

  private Methods() {}

  /** The method bound to its value, or null where the value has none of that name. */
  static Callable find(Object target, String name, Budget budget) {
    return switch (target) {
      case String text when TextMethods.NAMES.contains(name) ->
          args -> TextMethods.call(text, name, args, budget);
      case Map<?, ?> map when OF_DICT.contains(name) -> args -> ofDict(map, name, args, budget);
      case Tuple tuple when OF_TUPLE.contains(name) -> args -> ofList(tuple, name, args, budget);
      case Tuple tuple -> null;
      case List<?> list when OF_LIST.contains(name) -> args -> ofList(list, name, args, budget);
      case null, default -> null;
    };
  }

  @SuppressWarnings("unchecked") // every dict of a template has keys and values of any type
  private static Object ofDict(Map<?, ?> given, String name, Args args, Budget budget) {
    Map<Object, Object> map = (Map<Object, Object>) given;
    budget.steps(name.equals("get") ? 1 : map.size());
    return switch (name) {
      case "items" -> new View("dict_items", Filters.items(map));
      case "keys" -> new View("dict_keys", new ArrayList<>(map.keySet()));
      case "values" -> new View("dict_values", new ArrayList<>(map.values()));
      case "copy" -> new LinkedHashMap<>(map);
      case "get" -> {
        Object key = Values.key(args.required(0, "key"), budget);
        yield map.containsKey(key) ? map.get(key) : args.get(1, "default", null);
      }
      case "pop" -> {
        Object key = Values.key(args.required(0, "key"), budget);
        if (!map.containsKey(key) && !args.has(1, "default")) {
          throw new TemplateException("pop: no key " + Values.text(key, budget));
        }
        yield map.containsKey(key) ? map.remove(key) : args.get(1, "default", null);
      }
      case "setdefault" -> {
        Object key = Values.key(args.required(0, "key"), budget);
        if (!map.containsKey(key)) {
          map.put(key, args.get(1, "default", null));
        }
        yield map.get(key);
      }
      case "update" -> {
        map.putAll(Functions.pairs(args, budget));
        yield null;
      }
      case "clear" -> {
        map.clear();
        yield null;
      }
      default -> throw new IllegalArgumentException(name);
    };
  }

  @SuppressWarnings("unchecked") // every list of a template has elements of any type
  private static Object ofList(List<?> given, String name, Args args, Budget budget) {
    List<Object> list = (List<Object>) given;
    budget.steps(name.equals("append") ? 1 : list.size());
    switch (name) {
      case "copy" -> {
        return new ArrayList<>(list);
      }
      case "count" -> {
        Object wanted = args.required(0, "value");
        return list.stream().filter(element -> Values.equal(element, wanted, budget)).count();
      }
      case "index" -> {
        return (long) place(list, name, args, budget);
      }
      case "append" -> list.add(args.required(0, "object"));
      case "extend" -> list.addAll(Values.elements(args.required(0, "iterable"), budget));
      case "insert" -> {
        long index = args.integer(0, "index", 0);
        long from = index < 0 ? index + list.size() : index;
        list.add((int) Math.clamp(from, 0, list.size()), args.required(1, "object"));
      }
      case "pop" -> {
        long index = args.integer(0, "index", -1);
        long place = index < 0 ? index + list.size() : index;
        if (place < 0 || place >= list.size()) {
          throw new TemplateException("pop: no item " + index + " in a list of " + list.size());
        }
        return list.remove((int) place);
      }
      case "remove" -> list.remove(place(list, name, args, budget));
      case "clear" -> list.clear();
      case "reverse" -> {
        List<Object> turned = new ArrayList<>(list.reversed());
        list.clear();
        list.addAll(turned);
      }
      case "sort" -> {
        boolean reverse = Values.truth(args.get(0, "reverse", false));
        List<Object> sorted = new ArrayList<>(list);
        sorted.sort((a, b) -> Values.compare(reverse ? b : a, reverse ? a : b, budget));
        list.clear();
        list.addAll(sorted);
      }
      default -> throw new IllegalArgumentException(name);
    }
    return null;
  }

  private static int place(List<?> list, String name, Args args, Budget budget) {
    Object wanted = args.required(0, "value");
    for (int i = 0; i < list.size(); i++) {
      if (Values.equal(list.get(i), wanted, budget)) {
        return i;
      }
    }
    throw new TemplateException(name + ": the value is not in the list");
  }
}
