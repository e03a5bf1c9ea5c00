package dev.quern.text.jinja;

import java.time.Clock;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What templates call by name. */
final class Functions {
  private Functions() {}

  static Map<String, Object> all(Clock clock, Budget budget) {
    Map<String, Object> functions = new LinkedHashMap<>();
    put(functions, "range", args -> range(args, budget));
    put(functions, "namespace", args -> new Namespace(pairs(args, budget)));
    put(functions, "dict", args -> pairs(args, budget));
    put(
        functions,
        "raise_exception",
        args -> {
          throw new TemplateException(
              "the template refuses: " + Values.text(args.required(0, "message"), budget));
        });
    put(functions, "cycler", args -> new Cycler(args.positional()));
    put(functions, "joiner", args -> joiner(args.text(0, "sep", ", ")));
    put(
        functions,
        "strftime_now",
        args -> Strftime.format(LocalDateTime.now(clock), args.text(0, "format"), budget));
    return functions;
  }

  private static void put(Map<String, Object> functions, String name, Callable function) {
    functions.put(name, function);
  }

  /** Gives nothing when first called, and the separator from then on. */
  private static Callable joiner(String separator) {
    boolean[] used = {false};
    return args -> {
      String text = used[0] ? separator : "";
      used[0] = true;
      return text;
    };
  }

  /** The arguments of dict, dict.update and namespace: a dict or pairs, then names. */
  static Map<Object, Object> pairs(Args args, Budget budget) {
    Map<Object, Object> pairs = new LinkedHashMap<>();
    if (!args.positional().isEmpty()) {
      Object given = args.positional().getFirst();
      if (given instanceof Map<?, ?> map) {
        pairs.putAll(map);
      } else {
        for (Object element : Values.elements(given, budget)) {
          List<Object> pair = Values.elements(element, budget);
          if (pair.size() != 2) {
            throw new TemplateException(args.callee() + ": expected a dict or pairs");
          }
          pairs.put(Values.key(pair.getFirst(), budget), pair.getLast());
        }
      }
    }
    pairs.putAll(args.named());
    return pairs;
  }

  private static Object range(Args args, Budget budget) {
    boolean one = args.positional().size() == 1;
    long start = one ? 0 : args.integer(0, "start", 0);
    long stop = args.integer(one ? 0 : 1, "stop", 0);
    long step = args.integer(2, "step", 1);
    if (step == 0 || args.positional().isEmpty()) {
      throw new TemplateException("range: expected a stop and a step other than 0");
    }
    long count;
    try {
      long span = step > 0 ? Math.subtractExact(stop, start) : Math.subtractExact(start, stop);
      count = span <= 0 ? 0 : Math.ceilDivExact(span, Math.absExact(step));
    } catch (ArithmeticException e) {
      count = Long.MAX_VALUE / 2;
    }
    budget.steps(count); // before the list is made
    List<Object> numbers = new ArrayList<>((int) count);
    for (long i = 0; i < count; i++) {
      numbers.add(start + i * step);
    }
    return numbers;
  }
}
