package dev.quern.text.jinja;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The filters that choose, order or group the elements of a sequence. */
final class SequenceFilters {
  private SequenceFilters() {}

  /** An attribute or item; {@code a.b.0} goes several levels down. */
  static Object attribute(Object element, Object path, Budget budget) {
    return attribute(element, path, null, budget);
  }

  /** The same, with a value, if not null, for what is missing on any level. */
  private static Object attribute(Object element, Object path, Object standard, Budget budget) {
    if (path instanceof Long) {
      return orElse(Operators.item(element, path, budget), standard);
    }
    Object value = element;
    for (Object part : Text.split(Values.text(path, budget), ".", -1, budget)) {
      String name = (String) part;
      boolean index = !name.isEmpty() && name.chars().allMatch(c -> c >= '0' && c <= '9');
      value =
          orElse(
              Operators.item(
                  value, index && name.length() < 10 ? Long.valueOf(name) : name, budget),
              standard);
    }
    return value;
  }

  private static Object orElse(Object found, Object standard) {
    return standard != null && found instanceof Undefined ? standard : found;
  }

  /** By attribute, if the arguments name one, and without the case of letters unless they ask. */
  private static Function<Object, Object> key(
      Args args, int attribute, int caseSensitive, Budget budget) {
    Object path = args.get(attribute, "attribute", null);
    boolean exact = Values.truth(args.get(caseSensitive, "case_sensitive", false));
    return element -> {
      Object value = path == null ? element : attribute(element, path, budget);
      return value instanceof String text && !exact ? Text.lower(text) : value;
    };
  }

  private static Comparator<Object> ascending(Function<Object, Object> key, Budget budget) {
    return (a, b) -> Values.compare(key.apply(a), key.apply(b), budget);
  }

  private static Comparator<Object> direction(Comparator<Object> order, Args args, int index) {
    return Values.truth(args.get(index, "reverse", false)) ? order.reversed() : order;
  }

  static Object map(Object value, Args args, Budget budget) {
    if (!Values.truth(value)) {
      return Stream.of(List.of());
    }
    Stream elements = Stream.of(Values.elements(value, budget));
    if (args.positional().isEmpty()) {
      Object path = args.required(0, "attribute");
      Object standard = args.named().get("default");
      return elements.map(element -> attribute(element, path, standard, budget));
    }
    String filter = args.text(0, "filter");
    Args rest = args.rest(filter, 1);
    return elements.map(element -> Filters.apply(filter, element, rest, budget));
  }

  /** select, reject, selectattr and rejectattr. */
  static Object select(String name, Object value, Args args, Budget budget) {
    if (!Values.truth(value)) {
      return Stream.of(List.of());
    }
    boolean byAttribute = name.endsWith("attr");
    Object path = byAttribute ? args.required(0, "attribute") : null;
    int skip = byAttribute ? 1 : 0;
    String test = args.positional().size() > skip ? args.text(skip, "test") : null;
    Args rest = args.rest(name, skip + 1);
    boolean keep = name.startsWith("select");
    return Stream.of(Values.elements(value, budget))
        .filter(element -> {
          Object tested = byAttribute ? attribute(element, path, budget) : element;
          return keep
              == (test == null ? Values.truth(tested) : Tests.holds(test, tested, rest, budget));
        });
  }

  static Object sort(Object value, Args args, Budget budget) {
    List<Object> elements = Values.elements(value, budget);
    Comparator<Object> order = null;
    for (Object path : Text.split(args.text(2, "attribute", ""), ",", -1, budget)) {
      Args one = new Args(args.callee(), List.of(), new HashMap<>(args.named()));
      one.named().put("case_sensitive", args.get(1, "case_sensitive", false));
      one.named().put("attribute", "".equals(path) ? null : path);
      Comparator<Object> next = ascending(key(one, 0, 1, budget), budget);
      order = order == null ? next : order.thenComparing(next);
    }
    elements.sort(direction(order, args, 0));
    return elements;
  }

  static Object dictSort(Object value, Args args, Budget budget) {
    if (!(value instanceof Map<?, ?> map)) {
      throw new TemplateException("dictsort: expected a dict, found " + Values.typeName(value));
    }
    budget.steps(map.size());
    long place =
        switch (args.text(1, "by", "key")) {
          case "key" -> 0;
          case "value" -> 1;
          case String other ->
              throw new TemplateException("dictsort: by: expected key or value, found " + other);
        };
    boolean exact = Values.truth(args.get(0, "case_sensitive", false));
    Args byPlace =
        new Args(args.callee(), List.of(), Map.of("attribute", place, "case_sensitive", exact));
    List<Object> items = Filters.items(map);
    items.sort(direction(ascending(key(byPlace, 0, 1, budget), budget), args, 2));
    return items;
  }

  static Object extreme(Object value, boolean largest, Args args, Budget budget) {
    List<Object> elements = Values.elements(value, budget);
    Comparator<Object> order = ascending(key(args, 1, 0, budget), budget);
    Object best = elements.isEmpty() ? new Undefined("item of nothing") : elements.getFirst();
    for (Object element : elements) {
      int sign = order.compare(element, best);
      if (largest ? sign > 0 : sign < 0) {
        best = element;
      }
    }
    return best;
  }

  static Object unique(Object value, Args args, Budget budget) {
    Function<Object, Object> key = key(args, 1, 0, budget);
    List<Object> seen = new ArrayList<>();
    return Stream.of(Values.elements(value, budget))
        .filter(element -> {
          Object folded = key.apply(element);
          for (Object other : seen) {
            if (Values.equal(other, folded, budget)) {
              return false;
            }
          }
          return seen.add(folded);
        });
  }

  static Object groupBy(Object value, Args args, Budget budget) {
    Object path = args.required(0, "attribute");
    Object standard = args.get(1, "default", null);
    boolean exact = Values.truth(args.get(2, "case_sensitive", false));
    Function<Object, Object> key =
        element -> {
          Object found = attribute(element, path, standard, budget);
          return found instanceof String text && !exact ? Text.lower(text) : found;
        };
    List<Object> elements = Values.elements(value, budget);
    elements.sort(ascending(key, budget));
    List<Object> groups = new ArrayList<>();
    int start = 0;
    for (int i = 1; i <= elements.size(); i++) {
      boolean ends =
          i == elements.size()
              || !Values.equal(key.apply(elements.get(start)), key.apply(elements.get(i)), budget);
      if (ends) {
        List<Object> group = new ArrayList<>(elements.subList(start, i));
        groups.add(Tuple.group(attribute(group.getFirst(), path, standard, budget), group));
        start = i;
      }
    }
    return groups;
  }

  /** Lists of so many elements each; the last is filled if the arguments say with what. */
  static Object batch(Object value, Args args, Budget budget) {
    long size = args.integer(0, "linecount", 0);
    if (size < 1) {
      throw new TemplateException("batch: linecount: expected 1 or more, found " + size);
    }
    Object fill = args.get(1, "fill_with", null);
    List<Object> elements = Values.elements(value, budget);
    List<Object> batches = new ArrayList<>();
    for (long from = 0; from < elements.size(); from += size) {
      int to = (int) Math.min(elements.size(), from + size);
      List<Object> batch = new ArrayList<>(elements.subList((int) from, to));
      if (fill != null) {
        budget.steps(size);
        while (batch.size() < size) {
          batch.add(fill);
        }
      }
      batches.add(batch);
    }
    return Stream.of(batches);
  }

  /** So many lists of nearly equal length, the longer ones first. */
  static Object slice(Object value, Args args, Budget budget) {
    long count = args.integer(0, "slices", 0);
    if (count < 1) {
      throw new TemplateException("slice: slices: expected 1 or more, found " + count);
    }
    budget.steps(count);
    Object fill = args.get(1, "fill_with", null);
    List<Object> elements = Values.elements(value, budget);
    int least = (int) (elements.size() / count);
    long longer = elements.size() % count;
    List<Object> slices = new ArrayList<>();
    int from = 0;
    for (long i = 0; i < count; i++) {
      int to = from + least + (i < longer ? 1 : 0);
      List<Object> slice = new ArrayList<>(elements.subList(from, to));
      if (fill != null && i >= longer) {
        slice.add(fill);
      }
      slices.add(slice);
      from = to;
    }
    return Stream.of(slices);
  }
}
