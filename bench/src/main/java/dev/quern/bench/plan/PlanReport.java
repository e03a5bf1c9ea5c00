package dev.quern.bench.plan;

import dev.quern.bench.plan.StreamingPlan.Point;
import dev.quern.bench.plan.StreamingPlan.Variant;
import dev.quern.bench.report.LineChart;
import dev.quern.cli.ByteSize;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A plan as a table, a command line and a chart. */
public final class PlanReport {
  public static final String CHART = "plan";
  private static final double[] SHARES = {0.1, 0.25, 0.5, 0.75, 1};
  private static final int CURVE_POINTS = 24;

  private final Path model;
  private final StreamingPlan plan;
  private final long memoryBytes;
  private final Point recommended;

  /**
   * @param model as the user named it
   * @param memoryBytes for everything together
   * @param recommended by {@link StreamingPlan#recommend}
   */
  public PlanReport(Path model, StreamingPlan plan, long memoryBytes, Point recommended) {
    this.model = model;
    this.plan = plan;
    this.memoryBytes = memoryBytes;
    this.recommended = recommended;
  }

  /** The cache sizes of a variant that are worth a row, and what the memory holds. */
  List<Point> rows(Variant variant) {
    List<Long> capacities = new ArrayList<>();
    capacities.add((long) variant.cost().topK());
    for (double share : SHARES) {
      capacities.add(Math.max(variant.cost().topK(), Math.round(share * variant.experts())));
    }
    long fits = variant.capacity(memoryBytes);
    if (fits >= variant.cost().topK()) {
      capacities.add(fits);
    }
    return capacities.stream()
        .distinct()
        .sorted()
        .map(capacity -> plan.predict(variant, capacity))
        .toList();
  }

  /** Table, what was measured, recommendation. */
  public void print(PrintWriter out) {
    out.printf(
        Locale.ROOT,
        "disk %s/s in records of %s; everything but experts %s, of it %s for a context of %,d%n%n",
        ByteSize.text((long) plan.disk().bytesPerSecond()),
        ByteSize.text(recommended.variant().slotBytes()),
        ByteSize.text(recommended.variant().otherBytes()),
        ByteSize.text(plan.memory().cache()),
        plan.memory().context());
    out.println("  bits      experts in memory    memory     hits  tokens/s");
    for (Variant variant : plan.variants()) {
      for (Point point : rows(variant)) {
        out.printf(
            Locale.ROOT,
            "%s %-5s %,8d of %,6d %4.0f %% %9s %6.1f %% %9.2f%s%n",
            point.equals(recommended) ? ">" : " ",
            variant.bits() == 0 ? "pack" : variant.bits(),
            point.capacity(),
            variant.experts(),
            100 * point.share(),
            ByteSize.text(point.memoryBytes()),
            100 * point.hitRate(),
            point.tokensPerSecond(),
            point.memoryBytes() <= memoryBytes ? "" : "  does not fit");
      }
    }
    out.printf("%n%s%n", String.join(System.lineSeparator(), commands()));
  }

  /** What to type for the recommendation. */
  List<String> commands() {
    int bits = recommended.variant().bits();
    String memory = "%dm".formatted(memoryBytes / 1_000_000);
    String run = "quern generate --model %s --memory " + memory + " --prompt TEXT";
    if (bits == 0) {
      return List.of(run.formatted(quoted(model.toString())));
    }
    String name = model.toAbsolutePath().normalize().getFileName().toString();
    String pack = quoted(name.replaceFirst("\\.gguf$", "") + "-" + bits + "bit");
    return List.of(
        "quern convert --model %s --bits %d --out %s"
            .formatted(quoted(model.toString()), bits, pack),
        run.formatted(pack));
  }

  private static String quoted(String path) {
    return path.matches("[\\w./+-]+") ? path : "'" + path.replace("'", "'\\''") + "'";
  }

  /** Writes tokens per second against memory, as SVG and PNG. */
  public void draw(Path folder) throws IOException {
    List<LineChart.Line> lines = new ArrayList<>();
    double highest = 0;
    for (Variant variant : plan.variants()) {
      List<Point> points = new ArrayList<>();
      long least = variant.cost().topK();
      long steps = Math.min(CURVE_POINTS, variant.experts() - least);
      for (int i = 0; i <= steps; i++) {
        long more = steps == 0 ? 0 : (variant.experts() - least) * i / steps;
        points.add(plan.predict(variant, least + more));
      }
      double[] y = points.stream().mapToDouble(Point::tokensPerSecond).toArray();
      highest = Math.max(highest, y[y.length - 1]);
      lines.add(
          new LineChart.Line(
              variant.bits() == 0 ? "pack" : variant.bits() + " bits",
              points.stream().mapToDouble(point -> point.memoryBytes() / 1e9).toArray(),
              y,
              false));
    }
    double limit = memoryBytes / 1e9;
    lines.add(
        new LineChart.Line(
            "--memory", new double[] {limit, limit}, new double[] {0, highest}, true));
    LineChart.write(
        folder,
        CHART,
        "Speed against memory, predicted",
        "memory in GB",
        "tokens per second",
        lines);
  }
}
