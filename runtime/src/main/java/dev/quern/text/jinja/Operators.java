package dev.quern.text.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** What +, *, in, [a:b] and their kin do with Python's values. */
final class Operators {
  private Operators() {}

  static Object binary(String operator, Object a, Object b, Budget budget) {
    if (operator.equals("~")) {
      return concatenate(Values.text(a, budget), Values.text(b, budget), budget);
    }
    if (a instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (b instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (operator.equals("+") && a instanceof String x && b instanceof String y) {
      return concatenate(x, y, budget);
    }
    if (operator.equals("%") && a instanceof String format) {
      return Interpolation.percent(format, b, budget);
    }
    boolean lists = a instanceof List<?> && b instanceof List<?>;
    if (operator.equals("+") && lists && (a instanceof Tuple) == (b instanceof Tuple)) {
      List<?> x = (List<?>) a;
      List<?> y = (List<?>) b;
      budget.steps((long) x.size() + y.size());
      List<Object> joined = new ArrayList<>(x);
      joined.addAll(y);
      return a instanceof Tuple ? new Tuple(joined) : joined;
    }
    if (operator.equals("*") && (isSequence(a) || isSequence(b))) {
      Object times = isSequence(a) ? b : a;
      if (times instanceof Long || times instanceof Boolean) {
        return repeat(isSequence(a) ? a : b, Math.max(0, Values.toLong(times)), budget);
      }
    }
    if (!Values.isNumber(a) || !Values.isNumber(b)) {
      throw new TemplateException(
          "cannot compute " + Values.typeName(a) + " " + operator + " " + Values.typeName(b));
    }
    try {
      return arithmetic(operator, a, b);
    } catch (ArithmeticException e) {
      throw new TemplateException("integer too large in " + a + " " + operator + " " + b);
    }
  }

  static String concatenate(String a, String b, Budget budget) {
    budget.characters((long) a.length() + b.length());
    return a.concat(b);
  }

  private static boolean isSequence(Object value) {
    return value instanceof String || value instanceof List<?>;
  }

  private static Object repeat(Object sequence, long times, Budget budget) {
    int length = sequence instanceof String text ? text.length() : ((List<?>) sequence).size();
    if (length == 0) {
      return sequence;
    }
    long total = times > Integer.MAX_VALUE ? Long.MAX_VALUE : times * length;
    if (sequence instanceof String text) {
      budget.characters(total);
      return text.repeat((int) times);
    }
    budget.steps(total);
    List<Object> all = new ArrayList<>((int) total);
    for (long i = 0; i < times; i++) {
      all.addAll((List<?>) sequence);
    }
    return sequence instanceof Tuple ? new Tuple(all) : all;
  }

  private static Object arithmetic(String operator, Object a, Object b) {
    if (operator.equals("/")) {
      checkDivisor(b);
      return Values.toDouble(a) / Values.toDouble(b);
    }
    if (a instanceof Double || b instanceof Double) {
      double x = Values.toDouble(a);
      double y = Values.toDouble(b);
      return switch (operator) {
        case "+" -> x + y;
        case "-" -> x - y;
        case "*" -> x * y;
        case "**" -> Math.pow(x, y);
        case "//" -> {
          checkDivisor(b);
          yield floorDivide(x, y);
        }
        default -> {
          checkDivisor(b);
          yield floorRemainder(x, y);
        }
      };
    }
    long x = Values.toLong(a);
    long y = Values.toLong(b);
    return switch (operator) {
      case "+" -> Math.addExact(x, y);
      case "-" -> Math.subtractExact(x, y);
      case "*" -> Math.multiplyExact(x, y);
      case "**" -> y < 0 ? (Object) Math.pow(x, y) : (Object) power(x, y);
      case "//" -> {
        checkDivisor(b);
        yield Math.floorDivExact(x, y);
      }
      default -> {
        checkDivisor(b);
        yield Math.floorMod(x, y);
      }
    };
  }

  /** Of the sign of y, also where it is 0, as CPython's float_rem has it. */
  private static double floorRemainder(double x, double y) {
    double rest = x % y;
    if (rest == 0) {
      return Math.copySign(0, y);
    }
    return (rest < 0) != (y < 0) ? rest + y : rest;
  }

  /** Of what the remainder leaves, as CPython's float_divmod has it: x / y may round up. */
  private static double floorDivide(double x, double y) {
    double rest = x % y;
    double quotient = (x - rest) / y;
    if (rest != 0 && (rest < 0) != (y < 0)) {
      quotient--;
    }
    if (quotient == 0) {
      return Math.copySign(0, x / y);
    }
    double floor = Math.floor(quotient);
    return quotient - floor > 0.5 ? floor + 1 : floor;
  }

  private static long power(long base, long exponent) {
    long result = 1;
    long square = base;
    for (long left = exponent; left > 0; left >>= 1) {
      if ((left & 1) == 1) {
        result = Math.multiplyExact(result, square);
      }
      if (left > 1) {
        square = Math.multiplyExact(square, square);
      }
    }
    return result;
  }

  private static void checkDivisor(Object divisor) {
    if (Values.toDouble(divisor) == 0) {
      throw new TemplateException("division by zero");
    }
  }

  static Object sign(String operator, Object value) {
    if (value instanceof Double d) {
      return operator.equals("-") ? -d : d;
    }
    if (value instanceof Long || value instanceof Boolean) {
      long number = Values.toLong(value);
      return operator.equals("-") ? Math.negateExact(number) : number;
    }
    throw new TemplateException("cannot compute " + operator + Values.typeName(value));
  }

  static boolean compare(String operator, Object a, Object b, Budget budget) {
    return switch (operator) {
      case "==" -> Values.equal(a, b, budget);
      case "!=" -> !Values.equal(a, b, budget);
      case "in" -> in(a, b, budget);
      case "not in" -> !in(a, b, budget);
      default -> {
        if (Values.isNan(a) || Values.isNan(b)) {
          yield false;
        }
        if (a instanceof Undefined undefined) {
          throw undefined.failure();
        }
        if (b instanceof Undefined undefined) {
          throw undefined.failure();
        }
        int order = Values.compare(a, b, budget);
        yield switch (operator) {
          case "<" -> order < 0;
          case "<=" -> order <= 0;
          case ">" -> order > 0;
          default -> order >= 0;
        };
      }
    };
  }

  private static boolean in(Object value, Object container, Budget budget) {
    switch (container) {
      case String text -> {
        if (value instanceof String part) {
          budget.search(text, part);
          return text.contains(part);
        }
        throw new TemplateException("cannot look for " + Values.typeName(value) + " in text");
      }
      case List<?> list -> {
        return contains(list.iterator(), value, budget);
      }
      case View view -> {
        return contains(view.elements().iterator(), value, budget);
      }
      case Stream stream -> {
        return contains(stream.elements(), value, budget);
      }
      case Map<?, ?> map -> {
        return map.containsKey(Values.key(value, budget));
      }
      case Undefined u -> {
        return false;
      }
      case null, default ->
          throw new TemplateException("cannot look into " + Values.typeName(container));
    }
  }

  private static boolean contains(Iterator<?> elements, Object value, Budget budget) {
    while (elements.hasNext()) {
      if (Values.equal(value, elements.next(), budget)) {
        return true;
      }
    }
    return false;
  }

  /** {@code target[from:to:step]} */
  static Object slice(Object target, Object from, Object to, Object step, Budget budget) {
    if (target instanceof Undefined undefined) {
      throw undefined.failure();
    }
    List<Object> all;
    if (target instanceof String || target instanceof List<?>) {
      all = Values.elements(target, budget);
    } else {
      throw new TemplateException("cannot slice " + Values.typeName(target));
    }
    long stride = step == null ? 1 : integer(step);
    if (stride == 0) {
      throw new TemplateException("slice step cannot be zero");
    }
    boolean forward = stride > 0;
    long lowest = forward ? 0 : -1;
    long highest = forward ? all.size() : all.size() - 1L;
    long start = bound(from, forward ? lowest : highest, all.size(), lowest, highest);
    long end = bound(to, forward ? highest : lowest, all.size(), lowest, highest);
    List<Object> picked = new ArrayList<>();
    // a stride beyond the size ends the loop at once, whatever it is
    long bounded = Math.clamp(stride, -all.size() - 1L, all.size() + 1L);
    for (long i = start; forward ? i < end : i > end; i += bounded) {
      picked.add(all.get((int) i));
    }
    if (target instanceof String) {
      StringBuilder text = new StringBuilder(picked.size());
      picked.forEach(text::append);
      return text.toString();
    }
    return target instanceof Tuple ? new Tuple(picked) : picked;
  }

  private static long bound(Object given, long standard, int size, long lowest, long highest) {
    if (given == null) {
      return standard;
    }
    long index = integer(given);
    return Math.clamp(index < 0 ? index + size : index, lowest, highest);
  }

  private static long integer(Object value) {
    if (value instanceof Long number) {
      return number;
    }
    throw new TemplateException("a slice needs integers, found " + Values.typeName(value));
  }

  /** {@code target[key]}; undefined where there is none. */
  static Object item(Object target, Object key, Budget budget) {
    if (target instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (target instanceof Map<?, ?> map && Values.isKey(key, budget)) {
      Object wanted = Values.key(key, budget);
      if (map.containsKey(wanted)) {
        return map.get(wanted);
      }
    }
    if (key instanceof Long || key instanceof Boolean) {
      long index = Values.toLong(key);
      if (target instanceof List<?> list) {
        long place = index < 0 ? index + list.size() : index;
        return place >= 0 && place < list.size()
            ? list.get((int) place)
            : new Undefined("item " + index);
      }
      if (target instanceof String text) {
        budget.steps(text.length() / 64);
        long size = Values.length(text);
        long place = index < 0 ? index + size : index;
        return place >= 0 && place < size
            ? Character.toString(text.codePointAt(text.offsetByCodePoints(0, (int) place)))
            : new Undefined("character " + index);
      }
    }
    return key instanceof String name
        ? attribute(target, name, budget)
        : new Undefined("item " + Values.text(key, budget));
  }

  /** {@code target.name}: a method of its type, else its item of that name. */
  static Object attribute(Object target, String name, Budget budget) {
    Callable method = Methods.find(target, name, budget);
    if (method != null) {
      return method;
    }
    return switch (target) {
      case Undefined undefined -> throw undefined.failure();
      case Map<?, ?> map -> map.containsKey(name) ? map.get(name) : new Undefined(name);
      case Namespace namespace ->
          namespace.attributes().containsKey(name)
              ? namespace.attributes().get(name)
              : new Undefined(name);
      case Loop loop -> loop.attribute(name);
      case Cycler cycler -> cycler.attribute(name);
      case Tuple tuple -> tuple.attribute(name);
      case Macro macro when name.equals("name") -> macro.name();
      case null, default -> new Undefined(name);
    };
  }
}
