package dev.quern.kernels;

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
 * <p>Places are ints: with long ones C2 checks every access and loads the number of bits to shift
 * by again and again. Segments are aligned, where arrays would have every vector cross a cache
 * line. Not more than 4 lookups of bytes per method: see {@link TileLoops}.
 */
final class TableBatchLoops {
  /** Vectors whose sums are computed at once. */
  static final int GROUP_VECTORS = 4;

  static final int VECTOR_BYTES = 64;

  /** Of the sums of a run, of each of the group's vectors. */
  static final int SUM_BYTES = 2 * VECTOR_BYTES;

  /** 64 entries for each vector of a group. */
  private static final int TABLE_BYTES = GROUP_VECTORS * VECTOR_BYTES;

  private static final short BIAS = -ProductTable.RUN_BIAS;
  private static final short LOW_NIBBLES = 0x0F0F;
  private static final int HIGH_SHORTS = 0xFFFF_0000;

  /** Sums are taken as the upper halves of ints, which makes them 2^16 times as large. */
  private static final float HALF = 0x1p-16f;

  private TableBatchLoops() {}

  /** The 8 fields of every run at 3 bits, a vector each; the upper two bits of a byte are junk. */
  static void fields3(
      MemorySegment data, long block, int blockBytes, int runs, MemorySegment out, int at) {
    for (int run = 0; run < runs; run++) {
      long from = block + (long) (run >> 1) * blockBytes + VECTOR_BYTES + (run & 1) * 384L;
      int to = at + run * 8 * VECTOR_BYTES;
      for (int half = 0; half < 2; half++) {
        ShortVector f0 = shorts(data, from);
        ShortVector f1 = shorts(data, from + 64);
        ShortVector f2 = shorts(data, from + 128);
        store(f0, out, to);
        store(f1, out, to + 64);
        store(f2, out, to + 128);
        store(TableLoops.fourthField(f0, f1, f2), out, to + 192);
        from += 192;
        to += 256;
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
      MemorySegment data,
      long block,
      int blockBytes,
      int vectors,
      int runs,
      MemorySegment out,
      int at) {
    for (int run = 0; run < runs; run++) {
      long from = block + (long) (run >> 1) * blockBytes + VECTOR_BYTES + (run & 1) * 64L * vectors;
      int to = at + run * 2 * vectors * VECTOR_BYTES;
      for (int v = 0; v < vectors; v += 2) {
        ShortVector first = shorts(data, from);
        ShortVector second = shorts(data, from + 64);
        store(first.and(LOW_NIBBLES), out, to);
        store(first.lanewise(LSHR, 4).and(LOW_NIBBLES).or((short) 0x1010), out, to + 64);
        store(second.and(LOW_NIBBLES).or((short) 0x2020), out, to + 128);
        store(second.lanewise(LSHR, 4).or((short) 0x3030), out, to + 192);
        from += 128;
        to += 256;
      }
    }
  }

  /** The scales of the groups of every run, 64 floats in row order, for {@link #addScaled}. */
  static void scales(
      MemorySegment data,
      long block,
      int blockBytes,
      int runs,
      float[] scaleTable,
      MemorySegment out,
      int at) {
    IntVector table = Lanes.floats(scaleTable, 0).mul(HALF).reinterpretAsInts();
    for (int run = 0; run < runs; run++) {
      IntVector codes =
          Lanes.ints(data, block + (long) (run >> 1) * blockBytes).lanewise(LSHR, 16 * (run & 1));
      int to = at + run * 4 * VECTOR_BYTES;
      store(codes.selectFrom(table), out, to);
      codes = codes.lanewise(LSHR, 4);
      store(codes.selectFrom(table), out, to + 64);
      codes = codes.lanewise(LSHR, 4);
      store(codes.selectFrom(table), out, to + 128);
      codes = codes.lanewise(LSHR, 4);
      store(codes.selectFrom(table), out, to + 192);
    }
  }

  /**
   * Sums of the runs of a tile for the vectors of a group, at 2 and 3 bits.
   *
   * @param indices as {@link #fields3} or {@link #nibbles} wrote them
   * @param shared units to which 64 entries belong, as a power of two
   * @param tables [run, 64 entries, vector of the group]
   * @param sums written: [run, vector of the group, even and odd bytes]
   */
  static void sumsOfPairs(
      MemorySegment indices,
      int at,
      int shared,
      int runs,
      MemorySegment tables,
      MemorySegment sums) {
    for (int run = 0; run < runs; run++) {
      ShortVector all0 = ShortVector.broadcast(ShortVector.SPECIES_512, (short) (257 * BIAS));
      ShortVector all1 = all0;
      ShortVector all2 = all0;
      ShortVector all3 = all0;
      ShortVector odd0 = ShortVector.broadcast(ShortVector.SPECIES_512, BIAS);
      ShortVector odd1 = odd0;
      ShortVector odd2 = odd0;
      ShortVector odd3 = odd0;
      int from = at + run * 8 * VECTOR_BYTES;
      int table = (run * 8 >> shared) * TABLE_BYTES;
      for (int unit = 0; unit < 8; unit++) {
        ByteVector index = bytes(indices, from + unit * VECTOR_BYTES);
        int entries = table + (unit >> shared) * TABLE_BYTES;
        ShortVector found = index.selectFrom(bytes(tables, entries)).reinterpretAsShorts();
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, 8));
        found = index.selectFrom(bytes(tables, entries + 64)).reinterpretAsShorts();
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, 8));
        found = index.selectFrom(bytes(tables, entries + 128)).reinterpretAsShorts();
        all2 = all2.add(found);
        odd2 = odd2.add(found.lanewise(LSHR, 8));
        found = index.selectFrom(bytes(tables, entries + 192)).reinterpretAsShorts();
        all3 = all3.add(found);
        odd3 = odd3.add(found.lanewise(LSHR, 8));
      }
      int to = run * GROUP_VECTORS * SUM_BYTES;
      store(all0.sub(odd0.lanewise(LSHL, 8)), sums, to);
      store(odd0, sums, to + 64);
      store(all1.sub(odd1.lanewise(LSHL, 8)), sums, to + 128);
      store(odd1, sums, to + 192);
      store(all2.sub(odd2.lanewise(LSHL, 8)), sums, to + 256);
      store(odd2, sums, to + 320);
      store(all3.sub(odd3.lanewise(LSHL, 8)), sums, to + 384);
      store(odd3, sums, to + 448);
    }
  }

  /** The same for the first two vectors of a group that has no more. */
  static void sumsOfPairsForTwo(
      MemorySegment indices,
      int at,
      int shared,
      int runs,
      MemorySegment tables,
      MemorySegment sums) {
    for (int run = 0; run < runs; run++) {
      ShortVector all0 = ShortVector.broadcast(ShortVector.SPECIES_512, (short) (257 * BIAS));
      ShortVector all1 = all0;
      ShortVector odd0 = ShortVector.broadcast(ShortVector.SPECIES_512, BIAS);
      ShortVector odd1 = odd0;
      int from = at + run * 8 * VECTOR_BYTES;
      int table = (run * 8 >> shared) * TABLE_BYTES;
      for (int unit = 0; unit < 8; unit += 2) {
        ByteVector first = bytes(indices, from + unit * VECTOR_BYTES);
        ByteVector second = bytes(indices, from + unit * VECTOR_BYTES + 64);
        int ofFirst = table + (unit >> shared) * TABLE_BYTES;
        int ofSecond = table + (unit + 1 >> shared) * TABLE_BYTES;
        ShortVector found = first.selectFrom(bytes(tables, ofFirst)).reinterpretAsShorts();
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, 8));
        found = first.selectFrom(bytes(tables, ofFirst + 64)).reinterpretAsShorts();
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, 8));
        found = second.selectFrom(bytes(tables, ofSecond)).reinterpretAsShorts();
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, 8));
        found = second.selectFrom(bytes(tables, ofSecond + 64)).reinterpretAsShorts();
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, 8));
      }
      int to = run * GROUP_VECTORS * SUM_BYTES;
      store(all0.sub(odd0.lanewise(LSHL, 8)), sums, to);
      store(odd0, sums, to + 64);
      store(all1.sub(odd1.lanewise(LSHL, 8)), sums, to + 128);
      store(odd1, sums, to + 192);
    }
  }

  /**
   * The same at 4 bits, for two vectors of the group.
   *
   * @param vector the first of the two
   */
  static void sumsOfColumns(
      MemorySegment indices,
      int at,
      int vector,
      int runs,
      MemorySegment tables,
      MemorySegment sums) {
    for (int run = 0; run < runs; run++) {
      ShortVector all0 = ShortVector.broadcast(ShortVector.SPECIES_512, (short) (257 * BIAS));
      ShortVector all1 = all0;
      ShortVector odd0 = ShortVector.broadcast(ShortVector.SPECIES_512, BIAS);
      ShortVector odd1 = odd0;
      int from = at + run * 16 * VECTOR_BYTES;
      int table = run * 4 * TABLE_BYTES + vector * VECTOR_BYTES;
      for (int pair = 0; pair < 8; pair++) {
        ByteVector first = bytes(indices, from + pair * 2 * VECTOR_BYTES);
        ByteVector second = bytes(indices, from + pair * 2 * VECTOR_BYTES + 64);
        int entries = table + (pair >> 1) * TABLE_BYTES;
        ByteVector entries0 = bytes(tables, entries);
        ByteVector entries1 = bytes(tables, entries + 64);
        ShortVector found =
            first
                .selectFrom(entries0)
                .reinterpretAsShorts()
                .add(second.selectFrom(entries0).reinterpretAsShorts());
        all0 = all0.add(found);
        odd0 = odd0.add(found.lanewise(LSHR, 8));
        found =
            first
                .selectFrom(entries1)
                .reinterpretAsShorts()
                .add(second.selectFrom(entries1).reinterpretAsShorts());
        all1 = all1.add(found);
        odd1 = odd1.add(found.lanewise(LSHR, 8));
      }
      int to = (run * GROUP_VECTORS + vector) * SUM_BYTES;
      store(all0.sub(odd0.lanewise(LSHL, 8)), sums, to);
      store(odd0, sums, to + 64);
      store(all1.sub(odd1.lanewise(LSHL, 8)), sums, to + 128);
      store(odd1, sums, to + 192);
    }
  }

  /**
   * rowSums[rowsAt + r] ← fma(sum, scale · runScale, rowSums[rowsAt + r]), run by run, for the rows
   * of a tile and one vector of the group.
   *
   * @param sums from {@link #sumsOfPairs} or {@link #sumsOfColumns}
   * @param scales from {@link #scales}
   * @param runScales [run, vector of the group]
   */
  static void addScaled(
      MemorySegment sums,
      int vector,
      MemorySegment scales,
      int scalesAt,
      int runs,
      float[] runScales,
      float[] rowSums,
      int rowsAt) {
    FloatVector s0 = Lanes.floats(rowSums, rowsAt);
    FloatVector s1 = Lanes.floats(rowSums, rowsAt + 16);
    FloatVector s2 = Lanes.floats(rowSums, rowsAt + 32);
    FloatVector s3 = Lanes.floats(rowSums, rowsAt + 48);
    for (int run = 0; run < runs; run++) {
      int from = (run * GROUP_VECTORS + vector) * SUM_BYTES;
      int scale = scalesAt + run * 4 * VECTOR_BYTES;
      float runScale = runScales[run * GROUP_VECTORS + vector];
      IntVector even = Lanes.ints(sums, from);
      IntVector odd = Lanes.ints(sums, from + 64);
      s0 = low(even).fma(Lanes.floats(scales, scale).mul(runScale), s0);
      s1 = low(odd).fma(Lanes.floats(scales, scale + 64).mul(runScale), s1);
      s2 = high(even).fma(Lanes.floats(scales, scale + 128).mul(runScale), s2);
      s3 = high(odd).fma(Lanes.floats(scales, scale + 192).mul(runScale), s3);
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

  private static ByteVector bytes(MemorySegment data, int at) {
    return ByteVector.fromMemorySegment(ByteVector.SPECIES_512, data, at, ByteOrder.LITTLE_ENDIAN);
  }

  private static ShortVector shorts(MemorySegment data, long at) {
    return ShortVector.fromMemorySegment(
        ShortVector.SPECIES_512, data, at, ByteOrder.LITTLE_ENDIAN);
  }

  private static void store(ShortVector v, MemorySegment out, int at) {
    v.intoMemorySegment(out, at, ByteOrder.LITTLE_ENDIAN);
  }

  private static void store(IntVector v, MemorySegment out, int at) {
    v.intoMemorySegment(out, at, ByteOrder.LITTLE_ENDIAN);
  }
}
