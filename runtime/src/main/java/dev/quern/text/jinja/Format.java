package dev.quern.text.jinja;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Python's format specifications: {@code [[fill]align][sign][#][0][width][,][.precision][type]}.
 */
final class Format {
  private static final Pattern SPECIFICATION =
      Pattern.compile(
          "(?:(.)?([<>=^]))?([-+ ])?(#)?(0)?(\\d{1,7})?([,_])?(?:\\.(\\d{1,3}))?([a-zA-Z%])?",
          Pattern.DOTALL);
  private static final int STANDARD_PRECISION = 6;

  private Format() {}

  /** {@code format(value, specification)} */
  static String value(Object value, String specification, Budget budget) {
    if (specification.isEmpty()) {
      return Values.text(value, budget);
    }
    Matcher parts = SPECIFICATION.matcher(specification);
    boolean formattable = value instanceof String || Values.isNumber(value);
    if (!parts.matches() || !formattable) {
      throw new TemplateException(
          "cannot format " + Values.typeName(value) + " as '" + specification + "'");
    }
    boolean zeros = parts.group(5) != null;
    String fill = parts.group(1) != null ? parts.group(1) : zeros ? "0" : " ";
    char align =
        parts.group(2) != null
            ? parts.group(2).charAt(0)
            : value instanceof String ? '<' : zeros ? '=' : '>';
    int width = parts.group(6) == null ? 0 : Integer.parseInt(parts.group(6));
    int precision = parts.group(8) == null ? -1 : Integer.parseInt(parts.group(8));
    char type = parts.group(9) == null ? 0 : parts.group(9).charAt(0);
    String sign = "";
    String body;
    if (value instanceof String text && (type == 0 || type == 's')) {
      body = cut(text, precision);
    } else {
      body = number(value, type, precision, parts.group(4) != null);
      if (body.startsWith("-")) {
        sign = "-";
        body = body.substring(1);
      } else if (parts.group(3) != null && !parts.group(3).equals("-")) {
        sign = parts.group(3);
      }
      body = parts.group(7) == null ? body : grouped(body, parts.group(7));
    }
    return padded(sign, body, width, align, fill, budget);
  }

  /**
   * Fills up to a width, counted in code points; the fill of '=' goes after the sign.
   *
   * @param fill one character
   */
  static String padded(
      String sign, String body, long width, char align, String fill, Budget budget) {
    if (Values.length(fill) != 1) {
      throw new TemplateException("the fill must be one character");
    }
    long length = Values.length(sign) + Values.length(body);
    if (width <= length) {
      return sign + body;
    }
    long missing = width - length;
    budget.characters(missing);
    int left = (int) (align == '<' ? 0 : align == '^' ? missing / 2 : missing);
    String before = fill.repeat(left);
    String after = fill.repeat((int) missing - left);
    return (align == '=' ? sign + before : before + sign) + body + after;
  }

  static String cut(String text, int precision) {
    return precision < 0 || Values.length(text) <= precision
        ? text
        : text.substring(0, text.offsetByCodePoints(0, precision));
  }

  /**
   * @param type as in Python; 0: the number as str writes it
   * @param precision negative: the standard one
   */
  static String number(Object value, char type, int precision, boolean alternate) {
    if (!Values.isNumber(value)) {
      throw new TemplateException(
          "cannot format " + Values.typeName(value) + " as a number ('" + type + "')");
    }
    boolean whole = !(value instanceof Double);
    return switch (type) {
      case 'd', 'i', 'u' -> {
        if (!whole) {
          throw new TemplateException("cannot format float as an integer ('" + type + "')");
        }
        yield Long.toString(Values.toLong(value));
      }
      case 'x', 'X', 'o', 'b' -> {
        if (!whole) {
          throw new TemplateException("cannot format float as an integer ('" + type + "')");
        }
        int radix = type == 'o' ? 8 : type == 'b' ? 2 : 16;
        String digits = Long.toString(Values.toLong(value), radix);
        boolean negative = digits.startsWith("-");
        String marked =
            (negative ? "-" : "")
                + (alternate ? "0" + type : "")
                + (negative ? digits.substring(1) : digits);
        yield type == 'X' ? Text.upper(marked) : marked;
      }
      case 'c' -> {
        if (!whole
            || !Character.isValidCodePoint((int) Math.clamp(Values.toLong(value), -1, 1 << 30))) {
          throw new TemplateException("'c' needs a character's number");
        }
        yield Character.toString((int) Values.toLong(value));
      }
      case 'f', 'F' -> fixed(Values.toDouble(value), standard(precision));
      case 'e' -> scientific(Values.toDouble(value), standard(precision));
      case 'E' -> Text.upper(scientific(Values.toDouble(value), standard(precision)));
      case 'g' -> general(Values.toDouble(value), standard(precision), alternate);
      case 'G' -> Text.upper(general(Values.toDouble(value), standard(precision), alternate));
      case '%' -> fixed(Values.toDouble(value) * 100, standard(precision)) + "%";
      case 0 -> {
        if (whole) {
          yield Long.toString(Values.toLong(value));
        }
        if (precision < 0) {
          yield Values.number((Double) value);
        }
        String text = general((Double) value, precision, false);
        yield text.matches("-?\\d+") ? text + ".0" : text;
      }
      default -> throw new TemplateException("unknown format type '" + type + "'");
    };
  }

  private static int standard(int precision) {
    return precision < 0 ? STANDARD_PRECISION : precision;
  }

  private static String fixed(double value, int precision) {
    if (!Double.isFinite(value)) {
      return Values.number(value);
    }
    String text =
        new BigDecimal(value).abs().setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
    return (1 / value < 0 || value < 0 ? "-" : "") + text;
  }

  private static String scientific(double value, int precision) {
    if (!Double.isFinite(value)) {
      return Values.number(value);
    }
    BigDecimal rounded =
        new BigDecimal(value).abs().round(new MathContext(precision + 1, RoundingMode.HALF_EVEN));
    String digits = rounded.unscaledValue().toString();
    int exponent = value == 0 ? 0 : digits.length() - 1 - rounded.scale();
    digits = digits + "0".repeat(Math.max(0, precision + 1 - digits.length()));
    String fraction = precision > 0 ? "." + digits.substring(1, precision + 1) : "";
    return (1 / value < 0 || value < 0 ? "-" : "")
        + digits.charAt(0)
        + fraction
        + "e%s%02d".formatted(exponent < 0 ? "-" : "+", Math.abs(exponent));
  }

  private static String general(double value, int precision, boolean alternate) {
    if (!Double.isFinite(value)) {
      return Values.number(value);
    }
    int digits = Math.max(1, precision);
    String text = scientific(value, digits - 1);
    int mark = text.indexOf('e');
    int exponent = Integer.parseInt(text.substring(mark + 1));
    boolean plain = exponent >= -4 && exponent < digits;
    String mantissa = plain ? fixed(value, digits - 1 - exponent) : text.substring(0, mark);
    if (!alternate && mantissa.contains(".")) {
      mantissa = mantissa.replaceFirst("\\.?0+$", "");
    }
    return plain ? mantissa : mantissa + text.substring(mark);
  }

  private static String grouped(String digits, String separator) {
    int end = 0;
    while (end < digits.length() && Character.isDigit(digits.charAt(end))) {
      end++;
    }
    StringBuilder out = new StringBuilder(digits);
    for (int i = end - 3; i > 0; i -= 3) {
      out.insert(i, separator);
    }
    return out.toString();
  }
}
