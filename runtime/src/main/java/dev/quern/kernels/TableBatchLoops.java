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
 * with long ones C2 loads the number of bits to shift by again and again.
 *
 * <p>The sums of four vectors have 16 lookups in a body: more than {@link TileLoops} allows, but
 * what it tells of is refused to our own methods alone. Those of the Vector API, which the JDK
 * forces to be inlined, C2 puts off until it has dropped the nodes that it does not need. So these
 * loops call {@link #bytes} first, and then nothing but the Vector API.
 */
final class TableBatchLoops {
  /** 64 entries for each vector of a group. */
  private static final int TABLE_BYTES = GROUP_VECTORS * VECTOR_BYTES;

  /** Pairs of columns in a run. */
  private static final int PAIRS = TileLayout.RUN_COLS / 2;

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
   * Sums of the runs of a tile for the vectors of a group, at 3 bits: of each run and vector what
   * {@link TableLoops} calls all and odd.
   *
   * @param indices as {@link #fields3} wrote them
   */
  static void sumsOfPairs(int slot, int indices, int runs) {
    ShortVector byteShift = ShortVector.broadcast(ShortVector.SPECIES_512, Byte.SIZE);
    short bias = (short) -ProductTable.runBias(PAIRS);
    for (int run = 0; run < runs; run++) {
      ShortVector all0 = ShortVector.broadcast(ShortVector.SPECIES_512, (short) (257 * bias));
      ShortVector all1 = all0;
      ShortVector all2 = all0;
      ShortVector all3 = all0;
      ShortVector odd0 = ShortVector.broadcast(ShortVector.SPECIES_512, bias);
      ShortVector odd1 = odd0;
      ShortVector odd2 = odd0;
      ShortVector odd3 = odd0;
      int from = indices + run * PAIRS * VECTOR_BYTES;
      int table = slot + TABLES + run * PAIRS * TABLE_BYTES;
      for (int unit = 0; unit < PAIRS; unit += 4) {
        int at = from + unit * VECTOR_BYTES & MASK;
        ByteVector i0 = bytes(at);
        ByteVector i1 = bytes(at + 64);
        ByteVector i2 = bytes(at + 128);
        ByteVector i3 = bytes(at + 192);
        int a = table + unit * TABLE_BYTES & MASK;
        ByteVector a0 = bytes(a);
        ByteVector a1 = bytes(a + 64);
        ByteVector a2 = bytes(a + 128);
        ByteVector a3 = bytes(a + 192);
        int b = a + TABLE_BYTES & MASK;
        ByteVector b0 = bytes(b);
        ByteVector b1 = bytes(b + 64);
        ByteVector b2 = bytes(b + 128);
        ByteVector b3 = bytes(b + 192);
        int c = b + TABLE_BYTES & MASK;
        ByteVector c0 = bytes(c);
        ByteVector c1 = bytes(c + 64);
        ByteVector c2 = bytes(c + 128);
        ByteVector c3 = bytes(c + 192);
        int d = c + TABLE_BYTES & MASK;
        ByteVector d0 = bytes(d);
        ByteVector d1 = bytes(d + 64);
        ByteVector d2 = bytes(d + 128);
        ByteVector d3 = bytes(d + 192);
        ShortVector found = i0.selectFrom(a0).add(i1.selectFrom(b0)).reinterpretAsShorts();
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, byteShift));
        found = i0.selectFrom(a1).add(i1.selectFrom(b1)).reinterpretAsShorts();
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, byteShift));
        found = i0.selectFrom(a2).add(i1.selectFrom(b2)).reinterpretAsShorts();
        all2 = all2.add(found);
        odd2 = odd2.add(found.lanewise(LSHR, byteShift));
        found = i0.selectFrom(a3).add(i1.selectFrom(b3)).reinterpretAsShorts();
        all3 = all3.add(found);
        odd3 = odd3.add(found.lanewise(LSHR, byteShift));
        found = i2.selectFrom(c0).add(i3.selectFrom(d0)).reinterpretAsShorts();
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, byteShift));
        found = i2.selectFrom(c1).add(i3.selectFrom(d1)).reinterpretAsShorts();
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, byteShift));
        found = i2.selectFrom(c2).add(i3.selectFrom(d2)).reinterpretAsShorts();
        all2 = all2.add(found);
        odd2 = odd2.add(found.lanewise(LSHR, byteShift));
        found = i2.selectFrom(c3).add(i3.selectFrom(d3)).reinterpretAsShorts();
        all3 = all3.add(found);
        odd3 = odd3.add(found.lanewise(LSHR, byteShift));
      }
      int to = slot + SUMS + run * GROUP_VECTORS * SUM_BYTES & MASK;
      all0.intoMemorySegment(MEMORY, to, ByteOrder.LITTLE_ENDIAN);
      odd0.intoMemorySegment(MEMORY, to + 64, ByteOrder.LITTLE_ENDIAN);
      all1.intoMemorySegment(MEMORY, to + 128, ByteOrder.LITTLE_ENDIAN);
      odd1.intoMemorySegment(MEMORY, to + 192, ByteOrder.LITTLE_ENDIAN);
      all2.intoMemorySegment(MEMORY, to + 256, ByteOrder.LITTLE_ENDIAN);
      odd2.intoMemorySegment(MEMORY, to + 320, ByteOrder.LITTLE_ENDIAN);
      all3.intoMemorySegment(MEMORY, to + 384, ByteOrder.LITTLE_ENDIAN);
      odd3.intoMemorySegment(MEMORY, to + 448, ByteOrder.LITTLE_ENDIAN);
    }
  }

  /**
   * The same at 2 and 4 bits, where 64 entries belong to four units.
   *
   * @param indices as {@link #nibbles} wrote them
   * @param units of a run: pairs of columns, or columns
   */
  static void sumsOfNibbles(int slot, int indices, int units, int runs) {
    ShortVector byteShift = ShortVector.broadcast(ShortVector.SPECIES_512, Byte.SIZE);
    short bias = (short) -ProductTable.runBias(units);
    for (int run = 0; run < runs; run++) {
      ShortVector all0 = ShortVector.broadcast(ShortVector.SPECIES_512, (short) (257 * bias));
      ShortVector all1 = all0;
      ShortVector all2 = all0;
      ShortVector all3 = all0;
      ShortVector odd0 = ShortVector.broadcast(ShortVector.SPECIES_512, bias);
      ShortVector odd1 = odd0;
      ShortVector odd2 = odd0;
      ShortVector odd3 = odd0;
      int from = indices + run * units * VECTOR_BYTES;
      int table = slot + TABLES + run * (units / 4) * TABLE_BYTES;
      for (int unit = 0; unit < units; unit += 4) {
        int at = from + unit * VECTOR_BYTES & MASK;
        ByteVector i0 = bytes(at);
        ByteVector i1 = bytes(at + 64);
        ByteVector i2 = bytes(at + 128);
        ByteVector i3 = bytes(at + 192);
        int entries = table + unit / 4 * TABLE_BYTES & MASK;
        ByteVector t0 = bytes(entries);
        ByteVector t1 = bytes(entries + 64);
        ByteVector t2 = bytes(entries + 128);
        ByteVector t3 = bytes(entries + 192);
        ShortVector found = i0.selectFrom(t0).add(i1.selectFrom(t0)).reinterpretAsShorts();
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, byteShift));
        found = i2.selectFrom(t0).add(i3.selectFrom(t0)).reinterpretAsShorts();
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, byteShift));
        found = i0.selectFrom(t1).add(i1.selectFrom(t1)).reinterpretAsShorts();
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, byteShift));
        found = i2.selectFrom(t1).add(i3.selectFrom(t1)).reinterpretAsShorts();
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, byteShift));
        found = i0.selectFrom(t2).add(i1.selectFrom(t2)).reinterpretAsShorts();
        all2 = all2.add(found);
        odd2 = odd2.add(found.lanewise(LSHR, byteShift));
        found = i2.selectFrom(t2).add(i3.selectFrom(t2)).reinterpretAsShorts();
        all2 = all2.add(found);
        odd2 = odd2.add(found.lanewise(LSHR, byteShift));
        found = i0.selectFrom(t3).add(i1.selectFrom(t3)).reinterpretAsShorts();
        all3 = all3.add(found);
        odd3 = odd3.add(found.lanewise(LSHR, byteShift));
        found = i2.selectFrom(t3).add(i3.selectFrom(t3)).reinterpretAsShorts();
        all3 = all3.add(found);
        odd3 = odd3.add(found.lanewise(LSHR, byteShift));
      }
      int to = slot + SUMS + run * GROUP_VECTORS * SUM_BYTES & MASK;
      all0.intoMemorySegment(MEMORY, to, ByteOrder.LITTLE_ENDIAN);
      odd0.intoMemorySegment(MEMORY, to + 64, ByteOrder.LITTLE_ENDIAN);
      all1.intoMemorySegment(MEMORY, to + 128, ByteOrder.LITTLE_ENDIAN);
      odd1.intoMemorySegment(MEMORY, to + 192, ByteOrder.LITTLE_ENDIAN);
      all2.intoMemorySegment(MEMORY, to + 256, ByteOrder.LITTLE_ENDIAN);
      odd2.intoMemorySegment(MEMORY, to + 320, ByteOrder.LITTLE_ENDIAN);
      all3.intoMemorySegment(MEMORY, to + 384, ByteOrder.LITTLE_ENDIAN);
      odd3.intoMemorySegment(MEMORY, to + 448, ByteOrder.LITTLE_ENDIAN);
    }
  }

  /**
   * The same for the first two vectors of a group that has no more.
   *
   * @param shared units to which 64 entries belong, as a power of two
   */
  static void sumsForTwo(int slot, int indices, int shared, int units, int runs) {
    ShortVector byteShift = ShortVector.broadcast(ShortVector.SPECIES_512, Byte.SIZE);
    short bias = (short) -ProductTable.runBias(units);
    for (int run = 0; run < runs; run++) {
      ShortVector all0 = ShortVector.broadcast(ShortVector.SPECIES_512, (short) (257 * bias));
      ShortVector all1 = all0;
      ShortVector odd0 = ShortVector.broadcast(ShortVector.SPECIES_512, bias);
      ShortVector odd1 = odd0;
      int from = indices + run * units * VECTOR_BYTES;
      int table = slot + TABLES + (run * units >> shared) * TABLE_BYTES;
      for (int unit = 0; unit < units; unit += 2) {
        int at = from + unit * VECTOR_BYTES & MASK;
        ByteVector i0 = bytes(at);
        ByteVector i1 = bytes(at + 64);
        int a = table + (unit >> shared) * TABLE_BYTES & MASK;
        int b = table + (unit + 1 >> shared) * TABLE_BYTES & MASK;
        ShortVector found =
            i0.selectFrom(bytes(a)).add(i1.selectFrom(bytes(b))).reinterpretAsShorts();
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, byteShift));
        found =
            i0.selectFrom(bytes(a + 64)).add(i1.selectFrom(bytes(b + 64))).reinterpretAsShorts();
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, byteShift));
      }
      int to = slot + SUMS + run * GROUP_VECTORS * SUM_BYTES & MASK;
      all0.intoMemorySegment(MEMORY, to, ByteOrder.LITTLE_ENDIAN);
      odd0.intoMemorySegment(MEMORY, to + 64, ByteOrder.LITTLE_ENDIAN);
      all1.intoMemorySegment(MEMORY, to + 128, ByteOrder.LITTLE_ENDIAN);
      odd1.intoMemorySegment(MEMORY, to + 192, ByteOrder.LITTLE_ENDIAN);
    }
  }

  /**
   * rowSums[rowsAt + r] ← fma(sum, scale · runScale, rowSums[rowsAt + r]), run by run, for the rows
   * of a tile and two vectors of the group.
   *
   * @param vector the first of the two
   * @param scales from {@link #scales}
   * @param runScales [run, vector of the group]
   * @param stride from the rows of the first vector to those of the second
   */
  static void addScaled(
      int slot,
      int vector,
      int scales,
      int runs,
      float[] runScales,
      float[] rowSums,
      int rowsAt,
      int stride) {
    int nextAt = rowsAt + stride;
    FloatVector s0 = Lanes.floats(rowSums, rowsAt);
    FloatVector s1 = Lanes.floats(rowSums, rowsAt + 16);
    FloatVector s2 = Lanes.floats(rowSums, rowsAt + 32);
    FloatVector s3 = Lanes.floats(rowSums, rowsAt + 48);
    FloatVector t0 = Lanes.floats(rowSums, nextAt);
    FloatVector t1 = Lanes.floats(rowSums, nextAt + 16);
    FloatVector t2 = Lanes.floats(rowSums, nextAt + 32);
    FloatVector t3 = Lanes.floats(rowSums, nextAt + 48);
    ShortVector byteShift = ShortVector.broadcast(ShortVector.SPECIES_512, Byte.SIZE);
    for (int run = 0; run < runs; run++) {
      int from = slot + SUMS + (run * GROUP_VECTORS + vector) * SUM_BYTES & MASK;
      int scale = scales + run * 4 * VECTOR_BYTES & MASK;
      float runScale = runScales[run * GROUP_VECTORS + vector];
      float next = runScales[run * GROUP_VECTORS + vector + 1];
      ShortVector all = shorts(from);
      ShortVector odds = shorts(from + 64);
      ShortVector nextAll = shorts(from + 128);
      ShortVector nextOdds = shorts(from + 192);
      FloatVector scale0 = Lanes.floats(MEMORY, scale);
      FloatVector scale1 = Lanes.floats(MEMORY, scale + 64);
      FloatVector scale2 = Lanes.floats(MEMORY, scale + 128);
      FloatVector scale3 = Lanes.floats(MEMORY, scale + 192);
      IntVector even = all.sub(odds.lanewise(LSHL, byteShift)).reinterpretAsInts();
      IntVector odd = odds.reinterpretAsInts();
      FloatVector sum = (FloatVector) even.lanewise(LSHL, 16).convert(I2F, 0);
      s0 = sum.fma(scale0.mul(runScale), s0);
      sum = (FloatVector) odd.lanewise(LSHL, 16).convert(I2F, 0);
      s1 = sum.fma(scale1.mul(runScale), s1);
      sum = (FloatVector) even.and(HIGH_SHORTS).convert(I2F, 0);
      s2 = sum.fma(scale2.mul(runScale), s2);
      sum = (FloatVector) odd.and(HIGH_SHORTS).convert(I2F, 0);
      s3 = sum.fma(scale3.mul(runScale), s3);
      even = nextAll.sub(nextOdds.lanewise(LSHL, byteShift)).reinterpretAsInts();
      odd = nextOdds.reinterpretAsInts();
      sum = (FloatVector) even.lanewise(LSHL, 16).convert(I2F, 0);
      t0 = sum.fma(scale0.mul(next), t0);
      sum = (FloatVector) odd.lanewise(LSHL, 16).convert(I2F, 0);
      t1 = sum.fma(scale1.mul(next), t1);
      sum = (FloatVector) even.and(HIGH_SHORTS).convert(I2F, 0);
      t2 = sum.fma(scale2.mul(next), t2);
      sum = (FloatVector) odd.and(HIGH_SHORTS).convert(I2F, 0);
      t3 = sum.fma(scale3.mul(next), t3);
    }
    s0.intoArray(rowSums, rowsAt);
    s1.intoArray(rowSums, rowsAt + 16);
    s2.intoArray(rowSums, rowsAt + 32);
    s3.intoArray(rowSums, rowsAt + 48);
    t0.intoArray(rowSums, nextAt);
    t1.intoArray(rowSums, nextAt + 16);
    t2.intoArray(rowSums, nextAt + 32);
    t3.intoArray(rowSums, nextAt + 48);
  }

  private static ByteVector bytes(int at) {
    return ByteVector.fromMemorySegment(
        ByteVector.SPECIES_512, MEMORY, at, ByteOrder.LITTLE_ENDIAN);
  }

  private static ShortVector shorts(int at) {
    return ShortVector.fromMemorySegment(
        ShortVector.SPECIES_512, MEMORY, at, ByteOrder.LITTLE_ENDIAN);
  }

  private static void store(IntVector v, int at) {
    v.intoMemorySegment(MEMORY, at, ByteOrder.LITTLE_ENDIAN);
  }
}
