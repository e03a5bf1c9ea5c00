package dev.quern.bench.smoke;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** With rates that are given: nothing is timed. */
class SpeedSmokeTest {
  private static final double USUAL = 1e10;

  private final Map<String, Double> rates = new HashMap<>();
  private final Set<String> timed = new LinkedHashSet<>();
  private final List<String> lines = new ArrayList<>();

  private Optional<String> run() {
    return run((kernel, _, _) -> {
      timed.add(kernel.name());
      return rates.getOrDefault(kernel.name(), USUAL);
    });
  }

  private Optional<String> run(SpeedSmoke.Timer timer) {
    try (SpeedSmoke smoke = new SpeedSmoke(timer)) {
      return smoke.run(name -> true, lines::add);
    }
  }

  @Test
  void kernelsAsFastAsTheirReferencesPass() {
    assertEquals(Optional.empty(), run());
    assertEquals(timed.size(), lines.size(), "a line each");
  }

  @Test
  void everyKernelThatFallsOffTheCliffIsNamed() {
    run();
    List<String> kernels = List.copyOf(timed).subList(2, timed.size()); // after both references
    assertTrue(kernels.size() >= 20 && kernels.contains("swiGlu"), kernels.toString());
    for (String kernel : kernels) {
      rates.put(kernel, USUAL / 300);
      String slow = run().orElseThrow(() -> new AssertionError(kernel + " passes"));
      assertTrue(slow.startsWith("kernel '" + kernel + "' is too slow"), slow);
      rates.remove(kernel);
    }
  }

  @Test
  void aKernelAtItsLimitPasses() {
    rates.put("softmax", USUAL / 150);
    assertEquals(Optional.empty(), run());
    rates.put("softmax", USUAL / 151);
    assertTrue(run().isPresent());
  }

  @Test
  void bitsThatAreFarBehindOthersAreNamed() {
    rates.put("gemv, 3 bits, int", USUAL / 7);
    assertEquals(
        "kernel 'gemv, 3 bits, int' is 7.0 times slower than 'gemv, 2 bits, int', expected at most"
            + " 6. Has the compiler given up on it?",
        run().orElseThrow());
    rates.put("gemv, 3 bits, int", USUAL / 5);
    assertEquals(Optional.empty(), run());
  }

  @Test
  void bitsThatWereCompiledLateAreTimedAgain() {
    Set<String> before = new LinkedHashSet<>();
    assertEquals(
        Optional.empty(),
        run((kernel, _, _) ->
            kernel.name().equals("gemv, 3 bits, int") && before.add(kernel.name())
                ? USUAL / 7
                : USUAL));
  }

  @Test
  void whatIsNotChosenIsNotTimed() {
    try (SpeedSmoke smoke =
        new SpeedSmoke((kernel, _, _) -> {
          timed.add(kernel.name());
          return kernel.name().equals("softmax") ? 1 : USUAL;
        })) {
      assertEquals(Optional.empty(), smoke.run(name -> name.equals("rotation"), lines::add));
      assertEquals(Set.of("multiply-add in registers", "scale", "rotation"), timed);
    }
  }
}
