package dev.quern.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BenchTest {
  /** Needs 4, 3, 2 seconds, then always 1. */
  private static final class Faster implements Peer {
    private final List<String> runs = new ArrayList<>();

    private double run(String kind, int tokens, int depth) {
      runs.add(kind + tokens + "@" + depth);
      return Math.max(1, 5 - runs.size());
    }

    @Override
    public String build() {
      return "1.0";
    }

    @Override
    public double prefill(int tokens, int depth) {
      return run("pp", tokens, depth);
    }

    @Override
    public double decode(int tokens, int depth) {
      return run("tg", tokens, depth);
    }
  }

  @Test
  void repetitionsBeginWhenAPeerGetsNoFaster() {
    Faster peer = new Faster();
    BenchArguments test = new BenchArguments(Path.of("m"), 8, 0, 64, 2, 2);
    assertEquals(List.of(8.0, 8.0), Bench.measure(peer, test));
    assertEquals("pp8@64", peer.runs.getFirst());
    assertTrue(peer.runs.size() >= 4 + 2, peer.runs.toString());
  }

  @Test
  void warmingUpEndsAfterSomeSeconds() {
    List<Integer> runs = new ArrayList<>();
    Peer slow =
        new Peer() {
          @Override
          public String build() {
            return "1.0";
          }

          @Override
          public double prefill(int tokens, int depth) {
            throw new AssertionError("nothing is read");
          }

          @Override
          public double decode(int tokens, int depth) {
            runs.add(tokens);
            return 100.0 / runs.size(); // faster each time
          }
        };
    BenchArguments test = new BenchArguments(Path.of("m"), 0, 50, 0, 2, 1);
    assertEquals(List.of(1.0), Bench.measure(slow, test));
    assertEquals(2, runs.size());
  }

  @Test
  void optionsAreThoseOfLlamaBench() {
    String[] options = "-m a.gguf -p 512 -n 0 -t 2 -r 3 -o json -d 4096".split(" ");
    assertEquals(
        new BenchArguments(Path.of("a.gguf"), 512, 0, 4096, 2, 3), BenchArguments.parse(options));
    assertEquals(4608, BenchArguments.parse(options).positions());
  }

  @Test
  void otherOptionsAreRefusedInOneLine() {
    for (String line :
        List.of("-m a -p 1 -n 1", "-p 1", "-m a -p", "-m a -p x", "-m a -p -1", "-m a --all 1")) {
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class, () -> BenchArguments.parse(line.split(" ")), line);
      assertEquals(1, e.getMessage().lines().count(), line);
      assertTrue(e.getMessage().contains("expected"), e.getMessage());
    }
  }

  @Test
  void theReasonIsBehindWhatReflectionWraps() {
    IOException reason = new IOException("no such family", new IllegalStateException("deeper"));
    assertEquals(
        "no such family",
        Bench.reason(new RuntimeException(new InvocationTargetException(reason))));
    assertEquals("NullPointerException", Bench.reason(new NullPointerException()));
  }
}
