package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.quern.kernels.Activations;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
import dev.quern.kernels.Matrix;
import dev.quern.kernels.Workers;
import dev.quern.quant.QuantScheme;
import dev.quern.quant.QuantScheme.Method;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A pass that fails between adding products and running them leaves none to the next. */
class FailedPassTest {
  private static final int[] IDS = {3, 1, 69, 41};

  @TempDir private Path temp;

  /** Counts the products of every run; one addition fails as if memory were short. */
  private static final class FailingMatMul implements MatMul {
    private final MatMul matMul;
    private final List<Integer> runs = new ArrayList<>();
    private int added;
    private int additionsLeft;

    /**
     * @param additions that do not fail
     */
    FailingMatMul(Kernels kernels, int additions) {
      matMul = MatMul.create(kernels, 1, Activations.F32);
      additionsLeft = additions;
    }

    @Override
    public void add(
        Matrix w,
        float[] x,
        int xOffset,
        int xStride,
        int vectors,
        float[] y,
        int yOffset,
        int yStride) {
      if (additionsLeft-- == 0) {
        throw new OutOfMemoryError("on purpose");
      }
      matMul.add(w, x, xOffset, xStride, vectors, y, yOffset, yStride);
      added++;
    }

    @Override
    public void run() {
      runs.add(added);
      added = 0;
      matMul.run();
    }

    @Override
    public void forget() {
      added = 0;
      matMul.forget();
    }

    @Override
    public Workers workers() {
      return matMul.workers();
    }

    @Override
    public void close() {
      matMul.close();
    }
  }

  /** With residuals, whose sums are added to what other products give. */
  @Test
  void aPassComputesNoProductsOfOneThatFailed() throws IOException {
    Path pack = Files.createDirectory(temp.resolve("pack"));
    Path folder = Files.createDirectory(temp.resolve("folder"));
    QuantScheme scheme = new QuantScheme(Method.LLOYD_U4, 3, 16, true, true);
    RandomPack.write(pack, folder, TestConfig.json().toString(), scheme);
    Kernels kernels = Kernels.best();
    try (ModelSource source = ModelSource.open(pack);
        Arena arena = Arena.ofShared()) {
      Weights weights = WeightsLoader.load(source, arena);
      List<Integer> runs;
      float[] expected;
      try (FailingMatMul sound = new FailingMatMul(kernels, Integer.MAX_VALUE);
          Session session = session(source, weights, kernels, sound)) {
        expected = session.append(IDS).clone();
        runs = sound.runs;
      }
      for (int additions = 1; additions < 2 * runs.getFirst(); additions++) {
        try (FailingMatMul failing = new FailingMatMul(kernels, additions);
            Session session = session(source, weights, kernels, failing)) {
          assertThrows(OutOfMemoryError.class, () -> session.append(IDS));
          failing.runs.clear();
          assertArrayEquals(expected, session.append(IDS), additions + " additions");
          assertEquals(runs, failing.runs, additions + " additions");
        }
      }
    }
  }

  private static Session session(
      ModelSource source, Weights weights, Kernels kernels, MatMul matMul) {
    return new Session(source.config(), weights, kernels, matMul, RunOptions.PLAIN, IDS.length);
  }
}
