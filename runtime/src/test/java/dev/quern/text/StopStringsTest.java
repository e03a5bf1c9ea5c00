package dev.quern.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StopStringsTest {
  @Test
  void aStopAcrossChunksIsFound() {
    StopStrings stops = new StopStrings(List.of("\nUser:"));
    assertEquals("Hello", stops.push("Hello\nUs"));
    assertEquals("", stops.push("er"));
    assertFalse(stops.stopped());
    assertEquals("", stops.push(": ignored"));
    assertTrue(stops.stopped());
    assertEquals("", stops.push("more"));
    assertEquals("", stops.finish());
  }

  @Test
  void whatOnlyBeganLikeAStopIsGivenBack() {
    StopStrings stops = new StopStrings(List.of("aab"));
    assertEquals("", stops.push("aa"));
    assertEquals("a", stops.push("a"), "the first a can no longer begin a stop");
    assertEquals("aac", stops.push("c"));
    assertEquals("x", stops.push("xa"));
    assertEquals("a", stops.finish());
  }

  @Test
  void theFirstToBeCompleteWins() {
    assertEquals("xa", cut(List.of("abcd", "bc"), "xabcd", 1));
    assertEquals("x", cut(List.of("bc", "abc"), "xabcd", 1), "complete together: the longer");
  }

  @Test
  void chunksDoNotMatter() {
    Random random = new Random(3);
    for (int round = 0; round < 2000; round++) {
      List<String> stops = List.of(letters(random, 1 + random.nextInt(4)), letters(random, 3));
      String text = letters(random, 12);
      String whole = reference(stops, text);
      for (int chunk = 1; chunk <= 12; chunk++) {
        assertEquals(whole, cut(stops, text, chunk), stops + " in " + text + " by " + chunk);
      }
    }
  }

  @Test
  void anEmptyStopIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> new StopStrings(List.of("a", "")));
  }

  private static String cut(List<String> stops, String text, int chunk) {
    StopStrings cutter = new StopStrings(stops);
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < text.length(); i += chunk) {
      out.append(cutter.push(text.substring(i, Math.min(text.length(), i + chunk))));
    }
    return out.append(cutter.finish()).toString();
  }

  private static String reference(List<String> stops, String text) {
    for (int end = 1; end <= text.length(); end++) {
      String head = text.substring(0, end);
      int longest = stops.stream().filter(head::endsWith).mapToInt(String::length).max().orElse(0);
      if (longest > 0) {
        return head.substring(0, end - longest);
      }
    }
    return text;
  }

  private static String letters(Random random, int length) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < length; i++) {
      out.append((char) ('a' + random.nextInt(2)));
    }
    return out.toString();
  }
}
