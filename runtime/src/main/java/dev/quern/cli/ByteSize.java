package dev.quern.cli;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Bytes as people write them: {@code 6g} is 6·10⁹, {@code 6gi} is 6·2³⁰.
 *
 * @param bytes at least 1
 */
public record ByteSize(long bytes) {
  private static final Pattern TEXT = Pattern.compile("(\\d{1,15}(?:\\.\\d{1,6})?)([kmgt]?)(i?)b?");
  private static final String UNITS = "kmgt";

  /** For options. */
  public static final class Converter implements ITypeConverter<ByteSize> {
    @Override
    public ByteSize convert(String value) {
      Matcher text = TEXT.matcher(value.toLowerCase(Locale.ROOT));
      if (text.matches()) {
        double unit = text.group(3).isEmpty() ? 1000 : 1024;
        double factor = Math.pow(unit, 1 + UNITS.indexOf(text.group(2).concat(" ").charAt(0)));
        double bytes = Double.parseDouble(text.group(1)) * factor;
        if (bytes >= 1 && bytes < 0x1p62) {
          return new ByteSize((long) bytes);
        }
      }
      throw new TypeConversionException(
          "'" + value + "' is not an amount of memory, such as 6g, 500m or 1.5gi");
    }
  }

  /** Such as {@code 6.44 GB}: three digits or more. */
  public static String text(long bytes) {
    double value = bytes;
    String unit = "B";
    for (String next : new String[] {"kB", "MB", "GB", "TB"}) {
      if (value < 999.5) {
        break;
      }
      value /= 1000;
      unit = next;
    }
    return number(value, unit.equals("B")) + " " + unit;
  }

  /** Such as {@code 30.5 B} weights: three digits. */
  static String count(long weights) {
    double value = weights;
    String unit = "";
    for (String next : new String[] {" k", " M", " B", " T"}) {
      if (value < 999.5) {
        break;
      }
      value /= 1000;
      unit = next;
    }
    return number(value, unit.isEmpty()) + unit;
  }

  private static String number(double value, boolean whole) {
    int digits = whole || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    return String.format(Locale.ROOT, "%." + digits + "f", value);
  }
}
