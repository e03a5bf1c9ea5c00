package dev.quern.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/** Python's str functions, which filters and methods share. */
final class Text {
  static final Locale LOCALE = Locale.ROOT;

  /** What the filter title takes for the end of a word. */
  private static final Pattern WORD_END = Pattern.compile("(?<=[-\\s({\\[<])");

  private Text() {}

  static boolean isSpace(int c) {
    return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85;
  }

  /** str.isprintable of one code point. */
  static boolean isPrintable(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      case Character.SPACE_SEPARATOR -> c == ' ';
      default -> true;
    };
  }

  static boolean isLower(String text) {
    return text.equals(lower(text)) && text.codePoints().anyMatch(Text::isCased);
  }

  static boolean isUpper(String text) {
    return text.equals(upper(text)) && text.codePoints().anyMatch(Text::isCased);
  }

  private static boolean isCased(int c) {
    return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
  }

  /** Removes the characters of {@code set} (null: white space) at one or both ends. */
  static String strip(String text, String set, boolean left, boolean right) {
    int from = 0;
    int to = text.length();
    while (left && from < to && strips(set, text.codePointAt(from))) {
      from += Character.charCount(text.codePointAt(from));
    }
    while (right && from < to && strips(set, text.codePointBefore(to))) {
      to -= Character.charCount(text.codePointBefore(to));
    }
    return text.substring(from, to);
  }

  /** The same with a set of any length, in which each character is looked for. */
  static String strip(String text, String set, boolean left, boolean right, Budget budget) {
    if (set != null) {
      budget.steps((long) text.length() * set.length() / 64);
    }
    return strip(text, set, left, right);
  }

  private static boolean strips(String set, int c) {
    return set == null ? isSpace(c) : set.indexOf(c) >= 0;
  }

  /**
   * @param separator null: runs of white space
   * @param max splits; negative: all
   */
  static List<Object> split(String text, String separator, long max, Budget budget) {
    budget.characters(text.length());
    List<Object> parts = new ArrayList<>();
    if (separator == null) {
      splitAtSpace(text, max, parts);
      return parts;
    }
    checkSeparator(separator);
    budget.search(text, separator);
    int from = 0;
    for (int hit = text.indexOf(separator);
        hit >= 0 && (max < 0 || parts.size() < max);
        hit = text.indexOf(separator, from)) {
      parts.add(text.substring(from, hit));
      from = hit + separator.length();
    }
    parts.add(text.substring(from));
    budget.steps(parts.size());
    return parts;
  }

  private static void splitAtSpace(String text, long max, List<Object> parts) {
    int at = 0;
    while (true) {
      while (at < text.length() && isSpace(text.charAt(at))) {
        at++;
      }
      if (at >= text.length()) {
        return;
      }
      if (max >= 0 && parts.size() >= max) {
        parts.add(text.substring(at));
        return;
      }
      int start = at;
      while (at < text.length() && !isSpace(text.charAt(at))) {
        at++;
      }
      parts.add(text.substring(start, at));
    }
  }

  /** The same from the right. */
  static List<Object> splitFromRight(String text, String separator, long max, Budget budget) {
    budget.characters(text.length());
    if (separator == null) {
      String turned = new StringBuilder(text).reverse().toString();
      List<Object> parts = split(turned, null, max, budget);
      parts.replaceAll(part -> new StringBuilder((String) part).reverse().toString());
      return new ArrayList<>(parts.reversed());
    }
    checkSeparator(separator);
    budget.search(text, separator);
    List<Object> parts = new ArrayList<>();
    int to = text.length();
    for (int hit = text.lastIndexOf(separator);
        hit >= 0 && (max < 0 || parts.size() < max);
        hit =
            to - separator.length() < 0
                ? -1
                : text.lastIndexOf(separator, to - separator.length())) {
      parts.add(text.substring(hit + separator.length(), to));
      to = hit;
    }
    parts.add(text.substring(0, to));
    budget.steps(parts.size());
    return new ArrayList<>(parts.reversed());
  }

  private static void checkSeparator(String separator) {
    if (separator.isEmpty()) {
      throw new TemplateException("split: empty separator");
    }
  }

  private static boolean isLineEnd(char c) {
    return (c >= '\n' && c <= '\r')
        || (c >= 0x1C && c <= 0x1E)
        || c == 0x85
        || c == 0x2028
        || c == 0x2029;
  }

  /** str.splitlines() */
  static List<Object> lines(String text, boolean keepEnds) {
    List<Object> lines = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (isLineEnd(c)) {
        int end = c == '\r' && i + 1 < text.length() && text.charAt(i + 1) == '\n' ? i + 2 : i + 1;
        lines.add(text.substring(start, keepEnds ? end : i));
        start = end;
        i = end - 1;
      }
    }
    if (start < text.length()) {
      lines.add(text.substring(start));
    }
    return lines;
  }

  /**
   * @param max replacements; negative: all
   */
  static String replace(String text, String old, String with, long max, Budget budget) {
    budget.search(text, old);
    long hits = 0;
    if (old.isEmpty()) {
      hits = Values.length(text) + 1;
    } else {
      for (int i = text.indexOf(old); i >= 0; i = text.indexOf(old, i + old.length())) {
        hits++;
      }
    }
    hits = max < 0 ? hits : Math.min(hits, max);
    budget.steps(hits);
    budget.characters(text.length() + hits * with.length());
    StringBuilder out = new StringBuilder();
    int from = 0;
    for (long i = 0; i < hits; i++) {
      if (old.isEmpty()) {
        out.append(with);
        if (from < text.length()) {
          int next = text.offsetByCodePoints(from, 1);
          out.append(text, from, next);
          from = next;
        }
      } else {
        int hit = text.indexOf(old, from);
        out.append(text, from, hit).append(with);
        from = hit + old.length();
      }
    }
    return out.append(text, from, text.length()).toString();
  }

  /** Less what stands between an opening and the next closing, both included. */
  static String without(String text, String opening, String closing) {
    StringBuilder out = new StringBuilder();
    int from = 0;
    for (int open = text.indexOf(opening); open >= 0; open = text.indexOf(opening, from)) {
      int close = text.indexOf(closing, open);
      if (close < 0) {
        break;
      }
      out.append(text, from, open);
      from = close + closing.length();
    }
    return out.append(text, from, text.length()).toString();
  }

  static String upper(String text) {
    return text.toUpperCase(LOCALE);
  }

  static String lower(String text) {
    return text.toLowerCase(LOCALE);
  }

  static String capitalize(String text) {
    if (text.isEmpty()) {
      return text;
    }
    int first = text.offsetByCodePoints(0, 1);
    return upper(text.substring(0, first)) + lower(text.substring(first));
  }

  /** str.title(): a letter after anything but a letter is upper case. */
  static String titleMethod(String text) {
    StringBuilder out = new StringBuilder(text.length());
    boolean inWord = false;
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      String c = Character.toString(text.codePointAt(i));
      out.append(inWord ? lower(c) : upper(c));
      inWord = isCased(text.codePointAt(i));
    }
    return out.toString();
  }

  /** The filter title: words end at blanks, hyphens and opening brackets only. */
  static String titleFilter(String text) {
    StringBuilder out = new StringBuilder(text.length());
    for (String word : WORD_END.split(text)) {
      out.append(capitalize(word));
    }
    return out.toString();
  }

  static String escape(String text, Budget budget) {
    budget.characters(5L * text.length());
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("'", "&#39;")
        .replace("\"", "&#34;");
  }

  static String indent(String text, String by, boolean first, boolean blank, Budget budget) {
    List<Object> lines = lines(text + "\n", false);
    budget.characters(text.length());
    budget.characters((long) lines.size() * by.length());
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < lines.size(); i++) {
      String line = (String) lines.get(i);
      boolean indented = i == 0 ? first : blank || !line.isEmpty();
      out.append(i == 0 ? "" : "\n").append(indented ? by : "").append(line);
    }
    return out.toString();
  }
}
