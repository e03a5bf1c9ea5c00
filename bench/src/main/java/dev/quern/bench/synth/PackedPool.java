package dev.quern.bench.synth;

import dev.quern.converter.quantize.TensorQuantizer;
import dev.quern.kernels.TileLayout;
import dev.quern.quant.CounterRandom;
import dev.quern.quant.QuantScheme;
import dev.quern.quant.Rotation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Packed bytes of random matrices of one width, at the speed of copying: a pool of normal weights
 * is quantized once, by the converter's own quantizer, and every matrix is put together from blocks
 * of the pool, drawn at random. Levels and scales occur as often as in a converted model.
 */
final class PackedPool {
  /** Enough blocks that neighbours are not alike. */
  private static final int MAX_WEIGHTS = 1 << 20;

  private final QuantScheme scheme;
  private final TileLayout layout;
  private final MemorySegment packed;
  private final long blocks;

  /**
   * @param cols of all matrices; weights have a mean square of 1 / cols
   * @param weights that the pool shall have; fewer if they are many
   * @param arena that holds the pool
   */
  PackedPool(QuantScheme scheme, int cols, long weights, long seed, Arena arena)
      throws IOException {
    this.scheme = scheme;
    int tiles = (int) Math.max(1, Math.min(weights, MAX_WEIGHTS) / cols / TileLayout.TILE_ROWS);
    int rows = tiles * TileLayout.TILE_ROWS;
    layout = scheme.layout(rows, cols);
    packed = arena.allocate(scheme.bytes(rows, cols), TileLayout.ALIGNMENT);
    blocks = layout.factorOffset() / layout.blockBytes();
    long key = CounterRandom.key(seed, cols, scheme.bits());
    double deviation = 1 / Math.sqrt(cols);
    // Normal weights are normal in every basis; which rotation is applied makes no difference.
    Rotation rotation =
        scheme.rotated()
            ? Rotation.hadamard(seed, -1, Rotation.Input.HEAD, cols)
            : Rotation.none(cols);
    new TensorQuantizer(scheme, rows, cols, rotation, Rotation.none(cols))
        .quantize(
            (firstRow, count, into) -> {
              for (int i = 0; i < count * cols; i++) {
                long n = (long) firstRow * cols + i;
                into[i] = (float) (CounterRandom.gaussian(key, n) * deviation);
              }
            },
            packed);
  }

  /**
   * One matrix.
   *
   * @param out written in [0, scheme.bytes(rows, cols))
   */
  void fill(int rows, long key, MemorySegment out) {
    TileLayout wanted = scheme.layout(rows, layout.cols());
    int bytes = layout.blockBytes();
    long count = wanted.factorOffset() / bytes;
    for (long b = 0; b < count; b++) {
      long from = Long.remainderUnsigned(CounterRandom.word(key, b), blocks);
      MemorySegment.copy(packed, from * bytes, out, b * bytes, bytes);
    }
    long factorBytes = (long) wanted.factors() * Short.BYTES;
    long pooled = (long) layout.factors() * Short.BYTES;
    for (long at = 0; at < factorBytes; at += pooled) {
      MemorySegment.copy(
          packed,
          layout.factorOffset(),
          out,
          wanted.factorOffset() + at,
          Math.min(pooled, factorBytes - at));
    }
    long end = wanted.factorOffset() + factorBytes;
    out.asSlice(end, wanted.bytes() - end).fill((byte) 0);
  }
}
