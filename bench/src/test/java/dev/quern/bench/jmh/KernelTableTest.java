package dev.quern.bench.jmh;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.quern.kernels.Activations;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.results.RunResult;

class KernelTableTest {
  /** What a row says, without the margin of error: a single sample has none. */
  private static List<String> row(String kernel, Map<String, String> parameters, int micros) {
    RunResult result = KernelResults.of(kernel, parameters, micros);
    String row = KernelTable.of(List.of(result)).lines().toList().get(2);
    List<String> cells = List.of(row.split("\\|", -1)).stream().map(String::strip).toList();
    return Stream.of(1, 2, 3, 4, 6).map(cells::get).toList();
  }

  @Test
  void aTableHasARowPerResult() {
    RunResult result = KernelResults.of("softmax", Map.of("length", "768"), 1);
    List<String> lines = KernelTable.of(List.of(result, result)).lines().toList();
    assertEquals("| kernel | parameters | bits/weight | µs | ± | rate |", lines.get(0));
    assertEquals("|---|---|---|---|---|---|", lines.get(1));
    assertEquals(4, lines.size());
  }

  @Test
  void packedWeightsAreCountedWithTheirScales() {
    // A row of 1024: indices, 4-bit codes for 16 weights, a factor of 2 bytes; 64 rows 26,752
    // bytes.
    assertEquals(26_752, 64 * (1024 * 3 / 8 + 1024 / 16 / 2 + 2));
    Map<String, String> parameters =
        Map.of("operands", "3 INT", "shape", "64x1024", "threads", "2");
    assertEquals(
        List.of(
            "gemv",
            "operands 3 INT, shape 64x1024, threads 2",
            "3.266",
            "2.000",
            "32.8 G weights/s, 13.4 GB/s"),
        row("gemv", parameters, 2));
  }

  @Test
  void denseWeightsTakeTheirBits() {
    Map<String, String> gemv = Map.of("operands", "16", "shape", "100x100");
    assertEquals(
        List.of(
            "gemv", "operands 16, shape 100x100", "16.000", "5.000", "2.0 G weights/s, 4.0 GB/s"),
        row("gemv", gemv, 5));
    Map<String, String> gemm = Map.of("bits", "16", "shape", "100x100", "vectors", "32");
    assertEquals(
        List.of("gemm", "bits 16, shape 100x100, vectors 32", "16.000", "5.000", "128.0 GFLOP/s"),
        row("gemm", gemm, 5));
  }

  @Test
  void kernelsWithoutWeightsHaveNoBits() {
    assertEquals(
        List.of("rotation", "length 2048", "", "4.000", "0.51 G values/s"),
        row("rotation", Map.of("length", "2048"), 4));
    // 32 heads of 128: a product with a key and one with a value; 4 keys and values, F16.
    assertEquals(
        List.of("attention", "context 512", "", "100.000", "83.9 GFLOP/s, 10.5 GB/s"),
        row("attention", Map.of("context", "512"), 100));
  }

  @Test
  void onlyNarrowWeightsHaveAChoiceOfActivations() {
    assertEquals(2, Operands.names(4).size());
    for (int bits : Products.BITS) {
      for (String name : Operands.names(bits)) {
        assertEquals(bits, Operands.parse(name).bits(), name);
      }
    }
    assertEquals(List.of("16"), Operands.names(16));
    assertEquals(new Operands(3, Activations.INT), Operands.parse("3 INT"));
    assertEquals(new Operands(3, Activations.F32), Operands.parse("3 F32"));
  }
}
