package dev.quern.text.jinja;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class TemplateTest {
  private static final Clock CLOCK =
      Clock.fixed(Instant.parse("2024-07-06T05:04:03Z"), ZoneOffset.UTC);

  @Test
  void rendersAsJinjaDoes() throws Exception {
    JsonMapper mapper = JsonMapper.shared();
    List<Executable> checks = new ArrayList<>();
    try (InputStream in = TemplateTest.class.getResourceAsStream("/golden/jinja/cases.json")) {
      for (JsonNode entry : mapper.readTree(in).values()) {
        String template = entry.get("template").stringValue();
        Map<?, ?> context = mapper.convertValue(entry.get("context"), Map.class);
        Map<String, Object> values = new java.util.LinkedHashMap<>();
        context.forEach((name, value) -> values.put((String) name, value));
        String expected = entry.get("expected").stringValue();
        String name = entry.get("name").stringValue() + ": " + template;
        checks.add(() -> assertEquals(expected, render(template, values), name));
      }
    }
    assertTrue(checks.size() >= 90, "cases: " + checks.size());
    assertAll(checks);
  }

  @Test
  void time() {
    assertEquals(
        "06 Jul 2024|6 July 24, 05:04:03 Saturday",
        render(
            "{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%-d %B %y, %H:%M:%S %A') }}",
            Map.of()));
  }

  /** Each must end in one line, fast, within little memory. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for i in range(10**9) %}x{% endfor %}",
        "{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10**9 }}",
        "{{ 'a' * 10**18 }}",
        "{{ [0] * 10**9 }}",
        "{{ 10**400 }}",
        "{{ 2**62 * 2 }}",
        "{{ 1 / 0 }}",
        "{{ 1 // 0 }}",
        "{{ 1 % 0 }}",
        "{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l == [ns.l] }}{{ ns.l }}",
        "{{ ('a' * 100000).replace('a', 'b' * 100000) | length }}",
        "{{ ('a' * 100000) | replace('', 'b' * 100000) | length }}",
        "{{ ('a\n' * 100000) | indent(100000) | length }}",
        "{{ [1] | tojson(indent=10**9) }}",
        "{{ ['a', 'b', 'c'] | join('x' * 50000000) | length }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(n) %}{{ f(n) ~ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me.me.x.y }}",
        "{% if true %}",
        "{% for x in y %}",
        "{{ 'open",
        "{{ 1",
        "{# open",
        "{% raw %}",
        "{% endif %}",
        "{% include 'x' %}",
        "{{ x.y }}",
        "{{ x() }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages | nofilter }}",
        "{{ 1 is notest }}",
        "{{ 'a' + 1 }}",
        "{{ 1 < 'a' }}",
        "{{ [3, 'a'] | sort }}",
        "{{ ] }}",
        "{{ 'a'[::0] }}",
        "{{ {[]: 1} }}",
        "{% break %}",
        "{{ '\\uZZZZ' }}",
        "{{ 99999999999999999999 }}",
        "{{ x.99999999999999999999 }}",
        "{{ '%c' % 1.5 }}",
        "{{ '%9999999d' % 1 }}{{ '%9999999999d' % 1 }}",
        "{{ '{:9999999999}'.format(1) }}",
        "{{ range(9) | batch(10**15, 'x') | list }}",
        "{{ range(9) | slice(10**15) | list }}",
        "{{ [1] | batch(9223372036854775807, 'x') | list }}",
        "{{ 'x' | upper }}{{ 'a' * 4294967297 }}",
        "{{ [1] + [2] }}{{ [0] * 4294967297 }}",
        "{{ 'a'.ljust(3000, 'x' * 1000000) }}",
        "{{ 'abc'.ljust(1, 'xy') }}",
        "{{ 'a'.center(4, '') }}",
        "{{ ('a' * 500000 ~ 'b') in 'a' * 1000000 }}",
        "{{ ('a' * 1000000).split('a' * 500000 ~ 'b') }}",
        "{{ ('a' * 1000000).rsplit('b' ~ 'a' * 500000) }}",
        "{{ ('a' * 1000000) | replace('a' * 500000 ~ 'b', '') }}",
        "{{ ('a' * 1000000).find('a' * 500000 ~ 'b') }}",
        "{{ ('a' * 1000000).partition('a' * 500000 ~ 'b') }}",
        "{{ ('a' * 1000000) | trim('b' * 500000 ~ 'a') }}",
        "{{ ('a' * 1000000).strip('b' * 500000 ~ 'a') }}",
        "{{ ('a' * 1000000).startswith(('a' * 999999 ~ 'b',) * 1000000) }}",
        "{{ {{}.items(): 1} }}",
        "{{ {(1, [2]): 1} }}",
        "{% set ns = namespace(t=(1,)) %}{% for i in range(9999) %}{% set ns.t = (ns.t,) %}{% endfor %}{{ {ns.t: 1} }}",
        "{% set ns = namespace(t=(1,)) %}{% for i in range(99) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ {ns.t: 1} }}",
        "{% set ns = namespace(t=(1,)) %}{% for i in range(99) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ 1 | tojson(separators=(ns.t, ns.t)) }}",
        "{{ 'a' | center(10**12) }}",
        "{{ 'a'.zfill(10**12) }}",
        "{{ '\t'.expandtabs(10**12) }}",
        "{% for x in [[1]] recursive %}{{ loop([[x]]) }}{% endfor %}",
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}",
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l == [l] }}",
        "{% set l = [1] %}{% for i in range(99) %}{% set _ = l.extend(l) %}{% endfor %}",
        "{{ raise_exception('no\nmore') }}",
        "{{ strftime_now('%Q') }}",
        "{% set a, b = [1] %}",
        "{{ a b }}",
        "{{ $ }}",
        "{{"
      })
  void hostileTemplatesEndInOneLine(String template) {
    TemplateException e = assertTimeout(Duration.ofSeconds(5), () -> failure(template));
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    assertTrue(e.getMessage().startsWith("line 1: "), e.getMessage());
    assertTrue(e.getMessage().length() < 400, e.getMessage());
  }

  /** Each takes time in proportion to its text. */
  @ParameterizedTest
  @CsvSource(
      delimiterString = " => ",
      quoteCharacter = '`',
      value = {
        "{{ ('_' * 100000 ~ '!') | int }} => 0",
        "{{ ('1' * 100000 ~ 'x') | float }} => 0.0",
        "{{ ('1' * 100000) | float }} => inf",
        "{{ ('1_' * 100000) | float }} => 0.0",
        "{{ ('<' * 200000) | striptags | length }} => 200000",
        "{{ ('<!--' * 100000) | striptags | length }} => 400000",
        "{{ 'ab' in 'a' * 1000000 }} => False",
      })
  void longTextsTakeLinearTime(String template, String expected) {
    assertEquals(
        expected, assertTimeout(Duration.ofSeconds(5), () -> render(template, Map.of())), template);
  }

  /** Values of jinja2 3.1.6 on Python 3.11. */
  @ParameterizedTest
  @CsvSource(
      delimiterString = " => ",
      value = {
        "1.0 // 0.1 => 9.0",
        "-1.0 // 0.1 => -10.0",
        "6.0 // -0.1 => -60.0",
        "7.5 // 2 => 3.0",
        "-7.5 // 2 => -4.0",
        "-1.0 // 1e400 => -1.0",
        "0.0 // -3 => -0.0",
        "1e300 // 1e-10 => inf",
        "-4.0 % 2.0 => 0.0",
        "4.0 % -2 => -0.0",
        "1.0 % 0.1 => 0.09999999999999995",
      })
  void floatsAreDividedAsPythonDoes(String expression, String expected) {
    assertEquals(expected, render("{{ " + expression + " }}", Map.of()), expression);
  }

  /** Values of jinja2 3.1.6 on Python 3.11. */
  @Test
  void textsAreReadAsNumbersAsPythonDoes() {
    Map<String, String> expected = new LinkedHashMap<>();
    expected.put("'1_000' | int", "1000");
    expected.put("'+1_0' | int", "10");
    expected.put("'1__0' | int", "0");
    expected.put("'_1' | int", "0");
    expected.put("'1_' | int", "0");
    expected.put("'+_1' | int(7)", "7");
    expected.put("'0x_1f' | int(0, 16)", "31");
    expected.put("'0x_1_f' | int(0, 16)", "31");
    expected.put("'0x1__f' | int(7, 16)", "7");
    expected.put("'0x__1f' | int(7, 16)", "7");
    expected.put("'0_x1f' | int(7, 16)", "7");
    expected.put("'f_f' | int(0, 16)", "255");
    expected.put("'1_0.5' | int", "10");
    expected.put("'1e3' | int", "1000");
    expected.put("'1_0.2_5e1_0' | float", "102500000000.0");
    expected.put("'1.' | float", "1.0");
    expected.put("'-.5e-3' | float", "-0.0005");
    expected.put("'.' | float", "0.0");
    expected.put("'1e' | float", "0.0");
    expected.put("'1f' | float", "0.0");
    expected.forEach((expression, text) ->
        assertEquals(text, render("{{ " + expression + " }}", Map.of()), expression));
  }

  /** Values of jinja2 3.1.6 on Python 3.11. */
  @Test
  void oddArgumentsAreTakenAsPythonDoes() {
    assertEquals("🙂🙂a", render("{{ 'a'.rjust(3, '🙂') }}", Map.of()));
    assertEquals("a", render("{{ 'a'.ljust(-9223372036854775807) }}", Map.of()));
    assertEquals("a b c", render("{{ 'a b c' | truncate(9223372036854775807) }}", Map.of()));
    assertEquals(
        "[('A', 2), ('b', 1)]", render("{{ {'b': 1, 'A': 2} | dictsort(none) }}", Map.of()));
    assertEquals("3", render("{{ {(1, 2): 3}[(1, 2)] }}", Map.of()));
    assertEquals(
        "a x y < z", render("{{ 'a <b>x</b> <!-- <c> --> y < z' | striptags }}", Map.of()));
    assertEquals("a<!-- b", render("{{ 'a<!-- b' | striptags }}", Map.of()));
    assertEquals("<a b", render("{{ '<a <!-- > --> b' | striptags }}", Map.of()));
  }

  @Test
  void aNamespaceThatHoldsItselfIsAKey() {
    assertEquals(
        "1 0",
        render(
            "{% set ns = namespace() %}{% set ns.a = ns %}{% set d = {ns: 1} %}"
                + "{{ d[ns] }} {{ d.get(namespace(), 0) }}",
            Map.of()));
  }

  @Test
  void anOverflowOfTheStackIsOneLine() {
    Limits deep = new Limits(1 << 20, 1 << 24, 40_000_000, 1L << 30, 1_000_000_000);
    Template endless = Template.parse("{% set l = [] %}{% set _ = l.append(l) %}\n{{ l }}", deep);
    TemplateException e =
        assertThrows(TemplateException.class, () -> endless.render(Map.of(), CLOCK));
    assertEquals("line 2: nested too deep", e.getMessage());
  }

  @Test
  void deepNestingIsRefusedWithoutOverflow() {
    int n = 20_000;
    for (String deep :
        List.of(
            "{{ " + "(".repeat(n) + "1" + ")".repeat(n) + " }}",
            "{{ " + "[".repeat(n) + "]".repeat(n) + " }}",
            "{{ " + "-".repeat(n) + "1 }}",
            "{{ " + "not ".repeat(n) + "1 }}",
            "{{ 1" + " + 1".repeat(n) + " }}",
            "{{ 1" + "|abs".repeat(n) + " }}",
            "{{ x" + ".x".repeat(n) + " }}",
            "{{ " + "1 if 1 else ".repeat(n) + "1 }}",
            "{% if 1 %}".repeat(n) + "{% endif %}".repeat(n))) {
      assertTrue(failure(deep).getMessage().contains("nested deeper"), deep.substring(0, 20));
    }
    assertTrue(failure("x".repeat(2_000_000)).getMessage().contains("longer than"));
  }

  @Test
  void theLineOfAFailureIsNamed() {
    assertTrue(failure("a\nb\n{{ x.y }}").getMessage().startsWith("line 3: 'x' is undefined"));
    assertTrue(failure("\n\n\n{% for %}").getMessage().startsWith("line 4: expected a name"));
    String inMacro = "{% macro f() %}\n{{ 1 + 'a' }}\n{% endmacro %}\n\n{{ f() }}";
    assertTrue(failure(inMacro).getMessage().startsWith("line 2: "));
  }

  @Test
  void valuesOfOtherKindsAreTheCallersMistake() {
    assertThrows(
        IllegalArgumentException.class,
        () -> render("x", Map.of("thread", Thread.currentThread())));
  }

  private static TemplateException failure(String template) {
    return assertThrows(TemplateException.class, () -> render(template, Map.of()), template);
  }

  private static String render(String template, Map<String, ?> values) {
    return Template.parse(template, Limits.DEFAULT).render(values, CLOCK);
  }
}
