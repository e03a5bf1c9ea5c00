package dev.quern.bench.smoke;

import dev.quern.bench.jmh.DecodeAttention;
import dev.quern.bench.jmh.MultiplyAddPeak;
import dev.quern.bench.jmh.Products;
import dev.quern.kernels.Activations;
import dev.quern.kernels.Kernels;
import dev.quern.quant.CounterRandom;
import dev.quern.quant.Rotation;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Whether kernels are compiled as they should be. Correct vector code can become ten to three
 * hundred times slower when the compiler gives up on a method; no other test sees that. Kernels are
 * compared with their siblings and with plain multiply-adds in the same JVM, so the limits hold on
 * any machine, and they are wide: only the cliff lies beyond.
 */
public final class SpeedSmoke implements AutoCloseable {
  private static final String PEAK = "multiply-add in registers";
  private static final String SCALE = "scale";
  private static final int ROWS = 256;
  private static final int COLS = 1024;
  private static final int BATCH_VECTORS = 64;
  private static final int VALUES = 4096;
  private static final int ROTATED = 2048;
  private static final int CONTEXT = 512;

  /** What is too slow gets so long before it fails: compilers are late on busy machines. */
  private static final long PATIENCE_NANOS = 4_000_000_000L;

  /** Beyond any interpreter; a reference that is measured too low would let everything pass. */
  private static final double COMPILED_RATE = 2e9;

  /** How far kernels of the same kind may be apart. */
  private static final double SIBLINGS = 6;

  /** Bound to a kernel that it is compared with. */
  private record Limit(KernelCase kernel, String reference, double factor) {}

  /** How fast kernels are: see {@link KernelTimer#rate}. */
  @FunctionalInterface
  interface Timer {
    double rate(KernelCase kernel, double expected, long maxNanos);
  }

  private final Kernels kernels = Kernels.best();
  private final Timer timer;
  private final List<Products> products = new ArrayList<>();
  private final List<Limit> limits = new ArrayList<>();
  private final Map<Activations, List<String>> siblings = new EnumMap<>(Activations.class);
  private final Map<String, KernelCase> references = new LinkedHashMap<>();
  private final Map<String, Double> rates = new LinkedHashMap<>();

  public SpeedSmoke() {
    this(new KernelTimer()::rate);
  }

  SpeedSmoke(Timer timer) {
    this.timer = timer;
    float[] chains = new float[MultiplyAddPeak.floats()];
    reference(
        new KernelCase(
            PEAK,
            MultiplyAddPeak.operations(),
            "operations",
            () -> MultiplyAddPeak.chains(chains, 0)));
    float[] values = random(VALUES);
    reference(new KernelCase(SCALE, VALUES, "values", () -> kernels.scale(1, values, 0, VALUES)));

    addProducts();
    addVectorLoops();
  }

  /** With float32 activations, vectors of 128 bits make looking levels up slow: a twentieth. */
  private void addProducts() {
    for (int bits : new int[] {2, 3, 4}) {
      for (Activations activations : Activations.values()) {
        String name = "gemv, %d bits, %s".formatted(bits, lowerCase(activations));
        KernelCase gemv = product(name, bits, 1, activations);
        siblings.computeIfAbsent(activations, a -> new ArrayList<>()).add(name);
        limits.add(new Limit(gemv, PEAK, activations == Activations.INT ? 16 : 48));
        String batch = "batch, %d bits, %s".formatted(bits, lowerCase(activations));
        limits.add(new Limit(product(batch, bits, BATCH_VECTORS, activations), PEAK, 8));
      }
    }
    add("gemv, 8 bits", Byte.SIZE, 1, 32);
    add("gemv, BF16", Short.SIZE, 1, 32);
    add("gemv, F32", Float.SIZE, 1, 32);
    add("batch, BF16", Short.SIZE, BATCH_VECTORS, 8);
  }

  private static String lowerCase(Activations activations) {
    return activations.name().toLowerCase(Locale.ROOT);
  }

  private void add(String name, int bits, int vectors, double factor) {
    limits.add(new Limit(product(name, bits, vectors, Activations.INT), PEAK, factor));
  }

  private void addVectorLoops() {
    DecodeAttention attention = new DecodeAttention(CONTEXT);
    limits.add(
        new Limit(
            new KernelCase(
                "attention", DecodeAttention.operations(CONTEXT), "operations", attention::attend),
            PEAK,
            24));
    Rotation rotation = Rotation.hadamard(0, 0, Rotation.Input.MLP, ROTATED);
    float[] rotated = random(ROTATED);
    limits.add(
        new Limit(
            new KernelCase("rotation", ROTATED, "values", () -> rotation.apply(rotated, 0)),
            SCALE,
            150));
    float[] x = random(VALUES);
    float[] gate = random(VALUES);
    float[] out = new float[VALUES];
    limits.add(
        new Limit(
            new KernelCase("softmax", VALUES, "values", () -> kernels.softmax(x, 0, VALUES)),
            SCALE,
            150));
    limits.add(
        new Limit(
            new KernelCase(
                "rmsNorm", VALUES, "values", () -> kernels.rmsNorm(x, 0, gate, 1, out, 0, VALUES)),
            SCALE,
            30));
    limits.add(
        new Limit(
            new KernelCase(
                "swiGlu", VALUES, "values", () -> kernels.swiGlu(out, 0, gate, 0, VALUES)),
            SCALE,
            150));
  }

  private void reference(KernelCase kernel) {
    references.put(kernel.name(), kernel);
  }

  private KernelCase product(String name, int bits, int vectors, Activations activations) {
    Products product = new Products(bits, ROWS, COLS, vectors, activations, 1, 1);
    products.add(product);
    return new KernelCase(name, 2.0 * product.weights() * vectors, "operations", product::multiply);
  }

  private static float[] random(int n) {
    long key = CounterRandom.key(3, n);
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = (float) CounterRandom.uniform(key, i);
    }
    return x;
  }

  /**
   * Times kernels.
   *
   * @param chosen which of them, by their names; what they are compared with is timed anyway
   * @param lines told a line per kernel
   * @return the first kernel that is too slow, and how slow; empty if none is
   */
  public Optional<String> run(Predicate<String> chosen, Consumer<String> lines) {
    for (KernelCase reference : references.values()) {
      rates.put(reference.name(), timer.rate(reference, COMPILED_RATE, PATIENCE_NANOS));
      lines.accept("%-28s %s".formatted(reference.name(), describe(reference)));
    }
    Optional<String> slow = Optional.empty();
    for (Limit limit : limits) {
      if (chosen.test(limit.kernel().name())) {
        Optional<String> found = check(limit, lines);
        slow = slow.or(() -> found);
      }
    }
    for (List<String> some : siblings.values()) {
      List<String> timed = some.stream().filter(chosen).toList();
      slow = slow.or(() -> slowSibling(timed));
    }
    return slow;
  }

  /** One of those that do the same with other bits, if it is far behind the best of them. */
  private Optional<String> slowSibling(List<String> some) {
    if (some.isEmpty()) {
      return Optional.empty();
    }
    String best = Collections.max(some, Comparator.comparing(rates::get));
    for (String name : some) {
      double least = rates.get(best) / SIBLINGS;
      double rate = rates.get(name);
      if (rate < least) {
        rate = timer.rate(named(name), least, PATIENCE_NANOS);
      }
      if (rate < least) {
        return Optional.of(
            "kernel '%s' is %.1f times slower than '%s', expected at most %.0f. Has the compiler given up on it?"
                .formatted(name, rates.get(best) / rate, best, SIBLINGS));
      }
    }
    return Optional.empty();
  }

  private KernelCase named(String name) {
    return limits.stream()
        .map(Limit::kernel)
        .filter(kernel -> kernel.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  private Optional<String> check(Limit limit, Consumer<String> lines) {
    KernelCase kernel = limit.kernel();
    double least = rates.get(limit.reference()) / limit.factor();
    double rate = timer.rate(kernel, least, PATIENCE_NANOS);
    rates.put(kernel.name(), rate);
    String line =
        "%-28s %s, at least %s (1/%.0f of %s)"
            .formatted(
                kernel.name(),
                kernel.describe(rate),
                kernel.describe(least),
                limit.factor(),
                limit.reference());
    lines.accept(line);
    return rate < least
        ? Optional.of(
            "kernel '%s' is too slow: %s, expected at least %s. Has the compiler given up on it?"
                .formatted(kernel.name(), kernel.describe(rate), kernel.describe(least)))
        : Optional.empty();
  }

  private String describe(KernelCase kernel) {
    return kernel.describe(rates.get(kernel.name()));
  }

  @Override
  public void close() {
    products.forEach(Products::close);
  }
}
