package dev.quern.bench.jmh;

import dev.quern.kernels.TileLayout;
import dev.quern.quant.QuantScheme;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;

/** JMH's results with the rates that follow from them, as a Markdown table. */
public final class KernelTable {
  private static final List<String> HEAD =
      List.of("kernel", "parameters", "bits/weight", "µs", "±", "rate");

  private KernelTable() {}

  /** A row per result, in the order of their kernels and parameters. */
  public static String of(Collection<RunResult> results) {
    StringBuilder text =
        new StringBuilder(line(HEAD)).append("|---".repeat(HEAD.size())).append("|\n");
    for (RunResult result : results) {
      BenchmarkParams params = result.getParams();
      Result<?> time = result.getPrimaryResult();
      text.append(
          line(
              List.of(
                  kernel(params),
                  parameters(params),
                  bitsPerWeight(params).stream()
                      .mapToObj(bits -> number("%.3f", bits))
                      .collect(Collectors.joining()),
                  number("%.3f", time.getScore()),
                  number("%.3f", time.getScoreError()),
                  rate(params, time.getScore()))));
    }
    return text.toString();
  }

  private static String kernel(BenchmarkParams params) {
    String name = params.getBenchmark();
    return name.substring(name.lastIndexOf('.') + 1);
  }

  private static String parameters(BenchmarkParams params) {
    TreeMap<String, String> sorted = new TreeMap<>();
    params.getParamsKeys().forEach(key -> sorted.put(key, params.getParam(key)));
    return sorted.entrySet().stream()
        .map(entry -> entry.getKey() + " " + entry.getValue())
        .collect(Collectors.joining(", "));
  }

  /** Of the weights that a kernel multiplies, everything stored counted; empty if it has none. */
  static OptionalDouble bitsPerWeight(BenchmarkParams params) {
    return switch (kernel(params)) {
      case "gemv", "gemm" -> {
        MatrixSize size = MatrixSize.parse(params.getParam("shape"));
        yield OptionalDouble.of(Byte.SIZE * (double) bytes(size, bits(params)) / size.weights());
      }
      default -> OptionalDouble.empty();
    };
  }

  /** Of the weights of a product. */
  private static int bits(BenchmarkParams params) {
    return params.getParamsKeys().contains("operands")
        ? Operands.parse(params.getParam("operands")).bits()
        : Integer.parseInt(params.getParam("bits"));
  }

  /** What the kernel does in a second. */
  private static String rate(BenchmarkParams params, double micros) {
    double nanos = micros * 1e3;
    return switch (kernel(params)) {
      case "gemv" -> {
        MatrixSize size = MatrixSize.parse(params.getParam("shape"));
        yield number("%.1f G weights/s, ", size.weights() / nanos)
            + number("%.1f GB/s", bytes(size, bits(params)) / nanos);
      }
      case "gemm" -> {
        MatrixSize size = MatrixSize.parse(params.getParam("shape"));
        int vectors = Integer.parseInt(params.getParam("vectors"));
        yield number("%.1f GFLOP/s", 2.0 * size.weights() * vectors / nanos);
      }
      case "attention" -> {
        int context = Integer.parseInt(params.getParam("context"));
        yield number("%.1f GFLOP/s, ", DecodeAttention.operations(context) / nanos)
            + number("%.1f GB/s", DecodeAttention.cacheBytes(context) / nanos);
      }
      default -> number("%.2f G values/s", Integer.parseInt(params.getParam("length")) / nanos);
    };
  }

  private static long bytes(MatrixSize size, int bits) {
    if (bits >= Short.SIZE) {
      return size.weights() * (bits / Byte.SIZE);
    }
    QuantScheme scheme = bits == Byte.SIZE ? Products.BYTES : QuantScheme.turbo(bits);
    TileLayout layout = scheme.layout(size.rows(), size.cols());
    return layout.bytes();
  }

  private static String line(List<String> cells) {
    return "| " + String.join(" | ", cells) + " |\n";
  }

  private static String number(String format, double value) {
    return String.format(Locale.ROOT, format, value);
  }
}
