package dev.quern.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Damaged templates end in a text or in one line, within bounded time; nothing else comes out. */
class TemplateFuzzTest {
  private static final long SEED = 20_240_706;
  private static final int ROUNDS = 6_000;

  /** Small enough that the worst mutant is quick, large enough that most of them run. */
  private static final Limits LIMITS = new Limits(1 << 16, 1 << 18, 200_000, 1 << 21, 200);

  /** Of dict and list. */
  private static final String[] METHODS = {
    "items",
    "get",
    "pop",
    "setdefault",
    "update",
    "copy",
    "clear",
    "append",
    "extend",
    "insert",
    "remove",
    "reverse",
    "sort"
  };

  private static final String[] PIECES = {
    "{%",
    "%}",
    "{{",
    "}}",
    "{#",
    "#}",
    "-",
    "+",
    "|",
    "(",
    ")",
    "[",
    "]",
    "'",
    "\"",
    "\\",
    ".",
    ",",
    " in ",
    " is ",
    " not ",
    " if ",
    " else ",
    "for ",
    "endfor",
    "set ",
    "loop",
    "**",
    "//",
    "%",
    "~",
    "range(99999999)",
    "[::-1]",
    "| list",
    "| tojson",
    "| join",
    "| sort",
    "| map('upper')",
    "| batch(3)",
    "| groupby('role')",
    "| indent(99999)",
    "| format(1)",
    "* 99999999",
    "none",
    "messages",
    "loop(messages)",
    "namespace()",
    "\u0000",
    "🙂",
    "\ud800",
    "1e999",
    "99999999999999"
  };

  @Test
  void damagedTemplatesEndInTextOrOneLine() throws IOException {
    JsonNode families = GoldenTemplatesTest.resource("families.json");
    List<String> sources = new ArrayList<>();
    families.get("templates").values().forEach(node -> sources.add(node.stringValue()));
    for (JsonNode construct :
        GoldenTemplatesTest.resource("constructs.json").get("cases").values()) {
      sources.add(construct.get("template").stringValue());
    }
    Map<String, Object> values =
        GoldenTemplatesTest.values(families.get("contexts").get("one call after thought"));
    SplittableRandom random = new SplittableRandom(SEED);
    int[] rendered = new int[1];
    assertTimeout(
        Duration.ofSeconds(120),
        () -> {
          for (int round = 0; round < ROUNDS; round++) {
            String source = damaged(sources, random);
            try {
              String text =
                  Template.parse(source, LIMITS).render(values, GoldenTemplatesTest.CLOCK);
              assertTrue(text.length() <= LIMITS.outputCharacters(), source);
              rendered[0]++;
            } catch (TemplateException e) {
              assertEquals(1, e.getMessage().lines().count(), source);
            } catch (RuntimeException | StackOverflowError e) {
              throw new AssertionError("seed " + SEED + ", round " + round + ": " + source, e);
            }
          }
        });
    assertTrue(rendered[0] > ROUNDS / 20, "rendered: " + rendered[0]);
  }

  /** Filters, tests and methods, with values and arguments that nobody expects. */
  @Test
  void oddArgumentsEndInTextOrOneLine() {
    List<String> odd =
        List.of(
            "none",
            "missing",
            "true",
            "0",
            "-1",
            "9223372036854775807",
            "(-9223372036854775807 - 1)",
            "1.5",
            "1e999",
            "(1e999 - 1e999)",
            "''",
            "'a_1 <b>🙂'",
            "[]",
            "['x', none, 1]",
            "(1, 'a')",
            "{}",
            "{'b': none, 1: [2]}",
            "{'a': 1}.items()",
            "([1, 2] | map('string'))",
            "namespace(a=1)",
            "cycler(1)",
            "range");
    List<String> calls = new ArrayList<>();
    new TreeSet<>(Filters.NAMES).forEach(name -> calls.add(" | " + name));
    new TreeSet<>(TextMethods.NAMES).forEach(name -> calls.add("." + name));
    for (String name : METHODS) {
      calls.add("." + name);
    }
    for (String name : new String[] {"divisibleby", "sameas", "eq", "lt", "in", "odd", "upper"}) {
      calls.add(" is " + name);
    }
    int[] rendered = new int[1];
    for (String call : calls) {
      for (String value : odd) {
        rendered[0] += rendersOrFails("{{ " + value + call + "() | list }}");
        for (String first : odd) {
          rendered[0] += rendersOrFails("{{ " + value + call + "(" + first + ") | string }}");
          String second = odd.get((odd.indexOf(value) + odd.indexOf(first)) % odd.size());
          rendered[0] +=
              rendersOrFails("{{ " + value + call + "(" + first + ", " + second + ") | string }}");
        }
      }
    }
    assertTrue(rendered[0] > 10_000, "rendered: " + rendered[0]);
  }

  private static int rendersOrFails(String template) {
    try {
      Template.parse(template, LIMITS).render(Map.of(), GoldenTemplatesTest.CLOCK);
      return 1;
    } catch (TemplateException e) {
      assertEquals(1, e.getMessage().lines().count(), template);
      return 0;
    } catch (RuntimeException | StackOverflowError e) {
      throw new AssertionError(template, e);
    }
  }

  private static String damaged(List<String> sources, SplittableRandom random) {
    StringBuilder text = new StringBuilder(sources.get(random.nextInt(sources.size())));
    int changes = 1 + random.nextInt(4);
    for (int i = 0; i < changes && !text.isEmpty(); i++) {
      int at = random.nextInt(text.length());
      int end = Math.min(text.length(), at + 1 + random.nextInt(12));
      switch (random.nextInt(5)) {
        case 0 -> text.delete(at, end);
        case 1 -> text.insert(at, PIECES[random.nextInt(PIECES.length)]);
        case 2 -> text.insert(random.nextInt(text.length()), text.substring(at, end));
        case 3 -> {
          String other = sources.get(random.nextInt(sources.size()));
          int from = random.nextInt(other.length());
          text.insert(at, other, from, Math.min(other.length(), from + random.nextInt(60)));
        }
        default -> text.setCharAt(at, (char) random.nextInt(0x20, 0x7F));
      }
    }
    return text.toString();
  }
}
