package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * C2 stops inlining when a method has too many nodes. What is then called takes vectors as objects,
 * and products take three times as long; results do not show it.
 */
class CompiledLoopsTest {
  private static final String STOPPED = "NodeCountInliningCutoff";
  private static final int CALLS = 4000;

  /** Said where {@link TableBatchLoops} are used. */
  private static final String BY_TABLE = "batches are multiplied by table";

  /** Two groups of four vectors and one of two, so that every loop has its turn. */
  private static final int BATCH = 10;

  @ParameterizedTest
  @ValueSource(ints = {16, 32, 64})
  void everyOperationOfALoopIsInlined(int vectorBytes) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--add-modules=jdk.incubator.vector");
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("-Xbatch");
    command.add("-XX:MaxVectorSize=" + vectorBytes);
    command.add("-XX:+UnlockDiagnosticVMOptions");
    command.add("-XX:CompileCommand=quiet");
    command.add("-XX:CompileCommand=PrintInlining,dev.quern.kernels.TableLoops::*");
    command.add("-XX:CompileCommand=PrintInlining,dev.quern.kernels.TableBatchLoops::*");
    command.add("-Dquern.prefetch=on");
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(CompiledLoopsTest.class.getName());
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    assertTrue(output.contains("ByteVector::selectFrom"), "no loop was compiled");
    boolean batches = output.contains("TableBatchLoops::bytes");
    assertEquals(output.contains(BY_TABLE), batches, "loops of batches were compiled");
    assertFalse(output.contains(STOPPED), () -> stopped(output));
  }

  private static String stopped(String output) {
    return String.join("\n", output.lines().filter(line -> line.contains(STOPPED)).toList());
  }

  /** Multiplies until all is compiled. */
  public static void main(String[] args) {
    Kernels kernels = new VectorKernels();
    ProductTable table = new ProductTable();
    float[] y = new float[BATCH * 512];
    MatMul matMul = MatMul.create(kernels, 1, Activations.INT);
    if (kernels.maxTableVectors() >= BATCH) {
      System.out.println(BY_TABLE);
    }
    for (int bits : new int[] {2, 3, 4}) {
      TileLayout layout = new TileLayout(512, 1024, bits, TileLayout.Scales.U4, 16, false, 1);
      Matrix.Packed w = TestMatrices.packed(layout, 1);
      float[] x = TestMatrices.gaussian(new SplittableRandom(1), BATCH * 1024);
      for (int call = 0; call < CALLS; call++) {
        kernels.multiplyLevels(w, x, 0, table);
        kernels.gemv(w, 0, layout.tiles(), table, y, 0);
      }
      for (int call = 0; call < CALLS / 8; call++) {
        matMul.add(w, x, 0, 1024, BATCH, y, 0, 512);
        matMul.run();
      }
    }
  }
}
