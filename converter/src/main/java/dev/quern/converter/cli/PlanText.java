package dev.quern.converter.cli;

import dev.quern.converter.ConvertResult;
import dev.quern.converter.Converter;
import dev.quern.converter.Resources;
import dev.quern.converter.plan.ConversionPlan;
import dev.quern.converter.plan.PlannedTensor;
import dev.quern.converter.plan.Storage;
import dev.quern.format.DType;
import dev.quern.quant.QuantScheme;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Plans and results as people read them. */
final class PlanText {
  private static final double MEGABYTE = 1e6;

  /** Sums over the tensors of one role that are stored alike. */
  private record Line(int tensors, long weights, long sourceBytes, long storedBytes) {
    Line plus(PlannedTensor tensor) {
      return new Line(
          tensors + 1,
          weights + tensor.source().elements(),
          sourceBytes + tensor.source().bytes(),
          storedBytes + tensor.storedBytes());
    }
  }

  private PlanText() {}

  static void print(Converter converter, PrintWriter out) {
    ConversionPlan plan = converter.plan();
    Map<String, Line> lines = new TreeMap<>();
    plan.tensors()
        .forEach(tensor ->
            lines.merge(
                "%-18s %-26s".formatted(tensor.role().label(), storage(tensor)),
                new Line(0, 0, 0, 0).plus(tensor),
                (line, one) -> line.plus(tensor)));
    out.printf(
        "%-18s %-26s %8s %12s %11s %11s %7s%n",
        "role", "stored as", "tensors", "weights", "source MB", "pack MB", "bits");
    lines.forEach((name, line) ->
        out.printf(
            Locale.ROOT,
            "%s %8d %12d %11.2f %11.2f %7.3f%n",
            name,
            line.tensors(),
            line.weights(),
            line.sourceBytes() / MEGABYTE,
            line.storedBytes() / MEGABYTE,
            8.0 * line.storedBytes() / line.weights()));
    plan.leftAside().forEach(aside -> out.println("left aside: " + aside.describe()));
    printSizes(plan, out);
    Resources resources = converter.resources();
    out.printf(
        Locale.ROOT,
        "work: %d pieces, %s at once; peak memory about %.0f MB (heap %.0f MB), disk %.1f MB%n",
        plan.files().stream().mapToInt(file -> file.chunks().size()).sum(),
        resources.tasks() == 0 ? "as the cluster can" : Integer.toString(resources.tasks()),
        resources.peakMemoryBytes() / MEGABYTE,
        resources.heapBytes() / MEGABYTE,
        resources.diskBytes() / MEGABYTE);
  }

  private static String storage(PlannedTensor tensor) {
    return switch (tensor.storage()) {
      case Storage.Numbers(DType dtype) -> dtype.name();
      case Storage.Quantized quantized -> {
        QuantScheme scheme = quantized.scheme();
        yield "%d bits %s%s%s"
            .formatted(
                scheme.bits(),
                scheme.method().name().toLowerCase(Locale.ROOT),
                scheme.rotated() ? ", rotated" : "",
                scheme.qjl() ? ", qjl" : "");
      }
    };
  }

  private static void printSizes(ConversionPlan plan, PrintWriter out) {
    out.printf(
        Locale.ROOT,
        "weights: %.1f MB become %.1f MB, %.3f bits per weight",
        plan.inputBytes() / MEGABYTE,
        plan.outputBytes() / MEGABYTE,
        plan.bitsPerWeight());
    if (plan.expertParameters() > 0) {
      out.printf(Locale.ROOT, "; routed experts %.3f", plan.expertBitsPerWeight());
    }
    out.println();
    if (plan.standInBytes() > 0) {
      out.printf(
          Locale.ROOT,
          "stand-ins of the experts, besides: %.1f MB, %.3f bits more per weight of theirs%n",
          plan.standInBytes() / MEGABYTE,
          plan.standInBitsPerWeight());
    }
  }

  static void print(ConvertResult result, PrintWriter out) {
    switch (result.outcome()) {
      case CONVERTED -> out.println(result.pack() + ": complete");
      case RESUMED -> out.println(result.pack() + ": resumed and complete");
      case WAS_COMPLETE -> out.println(result.pack() + ": was complete already, nothing to do");
    }
    ConversionPlan plan = result.plan();
    plan.leftAside().forEach(aside -> out.println("left aside: " + aside.describe()));
    printSizes(plan, out);
    out.printf(
        Locale.ROOT,
        "pack: %.1f MB with tokenizer and statistics%n",
        result.packBytes() / MEGABYTE);
    if (result.outcome() == ConvertResult.Outcome.CONVERTED) {
      double seconds = result.elapsedNanos() / 1e9;
      out.printf(
          Locale.ROOT,
          "time: %.1f s, %.0f MB/s of input%n",
          seconds,
          plan.inputBytes() / MEGABYTE / seconds);
    }
    result
        .relativeMseByRole()
        .forEach((role, mse) -> out.printf(Locale.ROOT, "relative MSE %-18s %.6f%n", role, mse));
  }
}
