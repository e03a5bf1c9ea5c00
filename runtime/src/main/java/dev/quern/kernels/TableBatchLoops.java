package dev.quern.kernels;

import static dev.quern.kernels.TableScratch.GROUP_VECTORS;
import static dev.quern.kernels.TableScratch.MASK;
import static dev.quern.kernels.TableScratch.MEMORY;
import static dev.quern.kernels.TableScratch.SUMS;
import static dev.quern.kernels.TableScratch.SUM_BYTES;
import static dev.quern.kernels.TableScratch.TABLES;
import static dev.quern.kernels.TableScratch.VECTOR_BYTES;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * The loops of {@link TableBatches}, for vectors of 512 bits: a vector is a tile's 64 rows. Rows
 * and sums lie in bytes and shorts as in {@link TableLoops}, which adds up in the same order.
 *
 * <p>All but weights and float arrays lies in {@link TableScratch#MEMORY}. Places there are ints:
 * with long ones C2 loads the number of bits to shift by again and again. Without checks of bounds
 * a method may have 8 lookups of bytes, but little more: see {@link TileLoops}. Shifting shorts by
 * vectors is faster, but means more for C2 to inline: {@link #sumsOfPairs} has no room for it.
 */
final class TableBatchLoops {
  /** 64 entries for each vector of a group. */
  private static final int TABLE_BYTES = GROUP_VECTORS * VECTOR_BYTES;

  private static final short BIAS = -ProductTable.RUN_BIAS;
  private static final int LOW_NIBBLES = 0x0F0F_0F0F;
  private static final int HIGH_SHORTS = 0xFFFF_0000;

  /** Sums are taken as the upper halves of ints, which makes them 2^16 times as large. */
  private static final float HALF = 0x1p-16f;

  private TableBatchLoops() {}

  /** The 8 fields of every run at 3 bits, a vector each; the upper two bits of a byte are junk. */
  static void fields3(MemorySegment data, long block, int blockBytes, int runs, int indices) {
    for (int run = 0; run < runs; run++) {
      long from = block + (long) (run >> 1) * blockBytes + VECTOR_BYTES + (run & 1) * 384L;
      for (int half = 0; half < 2; half++) {
        int to = indices + (run * 8 + half * 4) * VECTOR_BYTES & MASK;
        IntVector f0 = Lanes.ints(data, from);
        IntVector f1 = Lanes.ints(data, from + 64);
        IntVector f2 = Lanes.ints(data, from + 128);
        store(f0, to);
        store(f1, to + 64);
        store(f2, to + 128);
        store(TableLoops.fourthField(f0, f1, f2), to + 192);
        from += 192;
      }
    }
  }

  /**
   * The nibbles of every run, a vector each. Bits 4 and 5 of a byte say which 16 of 64 entries the
   * nibble means, those above are junk.
   *
   * @param vectors of 64 bytes in a run: 4 or 8
   */
  static void nibbles(
      MemorySegment data, long block, int blockBytes, int vectors, int runs, int indices) {
    for (int run = 0; run < runs; run++) {
      long from = block + (long) (run >> 1) * blockBytes + VECTOR_BYTES + (run & 1) * 64L * vectors;
      for (int v = 0; v < vectors; v += 2) {
        int to = indices + (run * vectors + v) * 2 * VECTOR_BYTES & MASK;
        IntVector first = Lanes.ints(data, from);
        IntVector second = Lanes.ints(data, from + 64);
        store(first.and(LOW_NIBBLES), to);
        store(first.lanewise(LSHR, 4).and(LOW_NIBBLES).or(0x1010_1010), to + 64);
        store(second.and(LOW_NIBBLES).or(0x2020_2020), to + 128);
        store(second.lanewise(LSHR, 4).or(0x3030_3030), to + 192);
        from += 128;
      }
    }
  }

  /** The scales of the groups of every run, 64 floats in row order, for {@link #addScaled}. */
  static void scales(
      MemorySegment data, long block, int blockBytes, int runs, float[] scaleTable, int scales) {
    IntVector table = Lanes.floats(scaleTable, 0).mul(HALF).reinterpretAsInts();
    for (int run = 0; run < runs; run++) {
      IntVector codes =
          Lanes.ints(data, block + (long) (run >> 1) * blockBytes).lanewise(LSHR, 16 * (run & 1));
      int to = scales + run * 4 * VECTOR_BYTES & MASK;
      store(codes.selectFrom(table), to);
      codes = codes.lanewise(LSHR, 4);
      store(codes.selectFrom(table), to + 64);
      codes = codes.lanewise(LSHR, 4);
      store(codes.selectFrom(table), to + 128);
      codes = codes.lanewise(LSHR, 4);
      store(codes.selectFrom(table), to + 192);
    }
  }

  /**
   * Sums of the runs of a tile for the vectors of a group, at 2 and 3 bits: of each run and vector
   * what {@link TableLoops} calls all and odd.
   *
   * @param indices as {@link #fields3} or {@link #nibbles} wrote them
   * @param shared units to which 64 entries belong, as a power of two
   */
  static void sumsOfPairs(int slot, int indices, int shared, int runs) {
    for (int run = 0; run < runs; run++) {
      ShortVector all0 = ShortVector.broadcast(ShortVector.SPECIES_512, (short) (257 * BIAS));
      ShortVector all1 = all0;
      ShortVector all2 = all0;
      ShortVector all3 = all0;
      ShortVector odd0 = ShortVector.broadcast(ShortVector.SPECIES_512, BIAS);
      ShortVector odd1 = odd0;
      ShortVector odd2 = odd0;
      ShortVector odd3 = odd0;
      int from = indices + run * 8 * VECTOR_BYTES;
      int table = slot + TABLES + (run * 8 >> shared) * TABLE_BYTES;
      for (int unit = 0; unit < 8; unit += 2) {
        int at = from + unit * VECTOR_BYTES & MASK;
        ByteVector first = bytes(at);
        ByteVector second = bytes(at + 64);
        int ofFirst = table + (unit >> shared) * TABLE_BYTES & MASK;
        int ofSecond = table + (unit + 1 >> shared) * TABLE_BYTES & MASK;
        ShortVector found =
            first
                .selectFrom(bytes(ofFirst))
                .add(second.selectFrom(bytes(ofSecond)))
                .reinterpretAsShorts();
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, 8));
        found =
            first
                .selectFrom(bytes(ofFirst + 64))
                .add(second.selectFrom(bytes(ofSecond + 64)))
                .reinterpretAsShorts();
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, 8));
        found =
            first
                .selectFrom(bytes(ofFirst + 128))
                .add(second.selectFrom(bytes(ofSecond + 128)))
                .reinterpretAsShorts();
        all2 = all2.add(found);
        odd2 = odd2.add(found.lanewise(LSHR, 8));
        found =
            first
                .selectFrom(bytes(ofFirst + 192))
                .add(second.selectFrom(bytes(ofSecond + 192)))
                .reinterpretAsShorts();
        all3 = all3.add(found);
        odd3 = odd3.add(found.lanewise(LSHR, 8));
      }
      int to = slot + SUMS + run * GROUP_VECTORS * SUM_BYTES & MASK;
      store(all0, to);
      store(odd0, to + 64);
      store(all1, to + 128);
      store(odd1, to + 192);
      store(all2, to + 256);
      store(odd2, to + 320);
      store(all3, to + 384);
      store(odd3, to + 448);
    }
  }

  /** The same for the first two vectors of a group that has no more. */
  static void sumsOfPairsForTwo(int slot, int indices, int shared, int runs) {
    for (int run = 0; run < runs; run++) {
      ShortVector all0 = ShortVector.broadcast(ShortVector.SPECIES_512, (short) (257 * BIAS));
      ShortVector all1 = all0;
      ShortVector odd0 = ShortVector.broadcast(ShortVector.SPECIES_512, BIAS);
      ShortVector odd1 = odd0;
      int from = indices + run * 8 * VECTOR_BYTES;
      int table = slot + TABLES + (run * 8 >> shared) * TABLE_BYTES;
      for (int unit = 0; unit < 8; unit += 2) {
        int at = from + unit * VECTOR_BYTES & MASK;
        ByteVector first = bytes(at);
        ByteVector second = bytes(at + 64);
        int ofFirst = table + (unit >> shared) * TABLE_BYTES & MASK;
        int ofSecond = table + (unit + 1 >> shared) * TABLE_BYTES & MASK;
        ShortVector found =
            first
                .selectFrom(bytes(ofFirst))
                .add(second.selectFrom(bytes(ofSecond)))
                .reinterpretAsShorts();
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, 8));
        found =
            first
                .selectFrom(bytes(ofFirst + 64))
                .add(second.selectFrom(bytes(ofSecond + 64)))
                .reinterpretAsShorts();
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, 8));
      }
      int to = slot + SUMS + run * GROUP_VECTORS * SUM_BYTES & MASK;
      store(all0, to);
      store(odd0, to + 64);
      store(all1, to + 128);
      store(odd1, to + 192);
    }
  }

  /**
   * The same at 4 bits, for two vectors of the group.
   *
   * @param vector the first of the two
   */
  static void sumsOfColumns(int slot, int indices, int vector, int runs) {
    ShortVector byteShift = ShortVector.broadcast(ShortVector.SPECIES_512, Byte.SIZE);
    for (int run = 0; run < runs; run++) {
      ShortVector all0 = ShortVector.broadcast(ShortVector.SPECIES_512, (short) (257 * BIAS));
      ShortVector all1 = all0;
      ShortVector odd0 = ShortVector.broadcast(ShortVector.SPECIES_512, BIAS);
      ShortVector odd1 = odd0;
      int from = indices + run * 16 * VECTOR_BYTES;
      int table = slot + TABLES + run * 4 * TABLE_BYTES + vector * VECTOR_BYTES;
      for (int quarter = 0; quarter < 4; quarter++) {
        int at = from + quarter * 4 * VECTOR_BYTES & MASK;
        ByteVector i0 = bytes(at);
        ByteVector i1 = bytes(at + 64);
        ByteVector i2 = bytes(at + 128);
        ByteVector i3 = bytes(at + 192);
        int entries = table + quarter * TABLE_BYTES & MASK;
        ByteVector four = bytes(entries);
        ByteVector low = i0.selectFrom(four).add(i1.selectFrom(four));
        ByteVector high = i2.selectFrom(four).add(i3.selectFrom(four));
        ShortVector found = low.add(high).reinterpretAsShorts();
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, byteShift));
        four = bytes(entries + 64);
        low = i0.selectFrom(four).add(i1.selectFrom(four));
        high = i2.selectFrom(four).add(i3.selectFrom(four));
        found = low.add(high).reinterpretAsShorts();
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, byteShift));
      }
      int to = slot + SUMS + (run * GROUP_VECTORS + vector) * SUM_BYTES & MASK;
      store(all0, to);
      store(odd0, to + 64);
      store(all1, to + 128);
      store(odd1, to + 192);
    }
  }

  /**
   * rowSums[rowsAt + r] ← fma(sum, scale · runScale, rowSums[rowsAt + r]), run by run, for the rows
   * of a tile and one vector of the group.
   *
   * @param scales from {@link #scales}
   * @param runScales [run, vector of the group]
   */
  static void addScaled(
      int slot, int vector, int scales, int runs, float[] runScales, float[] rowSums, int rowsAt) {
    FloatVector s0 = Lanes.floats(rowSums, rowsAt);
    FloatVector s1 = Lanes.floats(rowSums, rowsAt + 16);
    FloatVector s2 = Lanes.floats(rowSums, rowsAt + 32);
    FloatVector s3 = Lanes.floats(rowSums, rowsAt + 48);
    ShortVector byteShift = ShortVector.broadcast(ShortVector.SPECIES_512, Byte.SIZE);
    for (int run = 0; run < runs; run++) {
      int from = slot + SUMS + (run * GROUP_VECTORS + vector) * SUM_BYTES & MASK;
      int scale = scales + run * 4 * VECTOR_BYTES & MASK;
      float runScale = runScales[run * GROUP_VECTORS + vector];
      ShortVector all = shorts(MEMORY, from);
      ShortVector odds = shorts(MEMORY, from + 64);
      IntVector even = all.sub(odds.lanewise(LSHL, byteShift)).reinterpretAsInts();
      IntVector odd = odds.reinterpretAsInts();
      s0 = low(even).fma(Lanes.floats(MEMORY, scale).mul(runScale), s0);
      s1 = low(odd).fma(Lanes.floats(MEMORY, scale + 64).mul(runScale), s1);
      s2 = high(even).fma(Lanes.floats(MEMORY, scale + 128).mul(runScale), s2);
      s3 = high(odd).fma(Lanes.floats(MEMORY, scale + 192).mul(runScale), s3);
    }
    s0.intoArray(rowSums, rowsAt);
    s1.intoArray(rowSums, rowsAt + 16);
    s2.intoArray(rowSums, rowsAt + 32);
    s3.intoArray(rowSums, rowsAt + 48);
  }

  private static FloatVector low(IntVector pairs) {
    return (FloatVector) pairs.lanewise(LSHL, 16).convert(I2F, 0);
  }

  private static FloatVector high(IntVector pairs) {
    return (FloatVector) pairs.and(HIGH_SHORTS).convert(I2F, 0);
  }

  private static ByteVector bytes(int at) {
    return ByteVector.fromMemorySegment(
        ByteVector.SPECIES_512, MEMORY, at, ByteOrder.LITTLE_ENDIAN);
  }

  private static ShortVector shorts(MemorySegment data, long at) {
    return ShortVector.fromMemorySegment(
        ShortVector.SPECIES_512, data, at, ByteOrder.LITTLE_ENDIAN);
  }

  private static void store(ShortVector v, int at) {
    v.intoMemorySegment(MEMORY, at, ByteOrder.LITTLE_ENDIAN);
  }

  private static void store(IntVector v, int at) {
    v.intoMemorySegment(MEMORY, at, ByteOrder.LITTLE_ENDIAN);
  }
}
