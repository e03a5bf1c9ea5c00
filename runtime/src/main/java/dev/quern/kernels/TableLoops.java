package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * The loops of {@link TableVectors} over 64 rows. A byte of a vector is a row: it looks up its
 * entry, and even and odd bytes are added apart as 16-bit integers, where the sum of a run always
 * fits. All 16 bits are added too, modulo 2^16: less 256 times the sum of the odd bytes that is the
 * sum of the even ones, an operation cheaper than to mask them one by one.
 *
 * <p>The sums of a run are {@link #RUN_SHORTS} shorts: 32 of the even bytes, 32 of the odd bytes
 * and, as they lie in the block, its 64 bytes of scale codes. As 16 ints each: low and high half of
 * int m of the first are rows m and 32 + m, of the second rows 16 + m and 48 + m.
 *
 * <p>Shorts are shifted by vectors where these have 512 bits: one operation there, where C2 needs
 * two and the lookups' port for a constant. Narrower vectors may have no such instruction.
 *
 * <p>Not more than 4 lookups of bytes per method and loop body: see {@link TileLoops}.
 */
final class TableLoops {
  static final int RUN_SHORTS = 96;

  private static final int ODD_SUMS = 32;
  private static final int CODES = 64;
  private static final VectorSpecies<Byte> BYTES = Lanes.INTS.withLanes(byte.class);
  private static final VectorSpecies<Short> SHORTS = Lanes.INTS.withLanes(short.class);

  /** Bytes of a vector, 64, 32 or 16, and shorts. */
  private static final int BYTE_COUNT = BYTES.length();

  private static final int SHORT_COUNT = SHORTS.length();

  /** What the sum of a run begins with: at 2 and 3 bits, and at 4. */
  private static final short BIAS = (short) -ProductTable.runBias(RUN_COLS / 2);

  private static final short BIAS_OF_COLUMNS = (short) -ProductTable.runBias(RUN_COLS);

  private static final int LOW_NIBBLES = 0x0F0F_0F0F;

  private TableLoops() {}

  /**
   * Sums of runs at 3 bits.
   *
   * @param block first byte of the block of the first run, which is even
   * @param ahead whether to prefetch weights
   * @param fields scratch of 8 vectors, if they are narrower than a tile
   */
  static void sums3(
      MemorySegment data,
      long block,
      int blockBytes,
      int runs,
      boolean ahead,
      ProductTable table,
      int tableAt,
      short[] fields,
      short[] sums) {
    if (BYTE_COUNT == TILE_ROWS) {
      long from = data.address() + block;
      long entries = table.entries().address() + tableAt;
      wholeSums3(from, blockBytes, table.levels().unitsPerRun(), runs, ahead, entries, sums);
    } else {
      int units = table.levels().unitsPerRun();
      for (int run = 0; run < runs; run++) {
        long at = block + (long) (run >> 1) * blockBytes;
        if (ahead && (run & 1) == 0) {
          Prefetch.block(3, data.address() + at);
        }
        copyCodes(data, at, sums, run * RUN_SHORTS + CODES);
        for (int part = 0; part < TILE_ROWS; part += BYTE_COUNT) {
          fields3(data, at + TILE_ROWS + (run & 1) * 384L + part, fields);
          int entries = tableAt + run * units * ProductTable.PAIR_ENTRIES;
          partSums3(fields, units, table.unaligned(), entries, sums, run * RUN_SHORTS + part / 2);
        }
      }
    }
  }

  /**
   * Not shorter than what is inlined.
   *
   * @param units 8; no constant, or the loop is unrolled and its constants read again and again
   */
  private static void wholeSums3(
      long block, int blockBytes, int units, int runs, boolean ahead, long table, short[] sums) {
    ShortVector byteShift = ShortVector.broadcast(SHORTS, Byte.SIZE);
    for (int run = 0; run < runs; run++) {
      long at = block + (long) (run >> 1) * blockBytes;
      if (ahead && (run & 1) == 0) {
        Prefetch.block(3, at);
      }
      int to = run * RUN_SHORTS;
      // first, in the order of the bytes: faster
      WholeMemory.shorts(at).intoArray(sums, to + CODES);
      ShortVector all = ShortVector.broadcast(SHORTS, (short) (257 * BIAS));
      ShortVector odd = ShortVector.broadcast(SHORTS, BIAS);
      long from = at + TILE_ROWS + (run & 1) * 384L;
      long entry = table + run * 8 * ProductTable.PAIR_ENTRIES;
      for (int unit = 0; unit < units; unit += 4) {
        IntVector f0 = WholeMemory.ints(from);
        IntVector f1 = WholeMemory.ints(from + 64);
        IntVector f2 = WholeMemory.ints(from + 128);
        ByteVector found = found(f0, entry).add(found(f1, entry + 64));
        ShortVector shorts = found.reinterpretAsShorts();
        all = all.add(shorts);
        odd = odd.add(shorts.lanewise(LSHR, byteShift));
        ByteVector index = fourthField(f0, f1, f2).reinterpretAsBytes();
        // found(), but not as short
        ByteVector last = index.selectFrom(WholeMemory.bytes(entry + 192));
        found = found(f2, entry + 128).add(last);
        shorts = found.reinterpretAsShorts();
        all = all.add(shorts);
        odd = odd.add(shorts.lanewise(LSHR, byteShift));
        from += 192;
        entry += 4 * ProductTable.PAIR_ENTRIES;
      }
      all.sub(odd.lanewise(LSHL, byteShift)).intoArray(sums, to);
      odd.intoArray(sums, to + ODD_SUMS);
    }
  }

  /** Pairs of bits 6 and 7 of three vectors; the upper bits of a byte are junk or 0. */
  static IntVector fourthField(IntVector f0, IntVector f1, IntVector f2) {
    return f0.lanewise(LSHR, 6)
        .and(0x0303_0303)
        .or(f1.lanewise(LSHR, 4).and(0x0C0C_0C0C))
        .or(f2.lanewise(LSHR, 2).and(0x3030_3030));
  }

  /** table[index &amp; 63] of each byte, where a vector has 64. */
  private static ByteVector found(IntVector index, long table) {
    return index.reinterpretAsBytes().selectFrom(WholeMemory.bytes(table));
  }

  /** The 8 fields of a run, of the rows of one vector that is narrower than a tile. */
  private static void fields3(MemorySegment data, long from, short[] fields) {
    for (int half = 0; half < 2; half++) {
      IntVector f0 = Lanes.ints(data, from + 192L * half);
      IntVector f1 = Lanes.ints(data, from + 192L * half + 64);
      IntVector f2 = Lanes.ints(data, from + 192L * half + 128);
      int to = 4 * half * SHORT_COUNT;
      f0.reinterpretAsShorts().intoArray(fields, to);
      f1.reinterpretAsShorts().intoArray(fields, to + SHORT_COUNT);
      f2.reinterpretAsShorts().intoArray(fields, to + 2 * SHORT_COUNT);
      fourthField(f0, f1, f2).reinterpretAsShorts().intoArray(fields, to + 3 * SHORT_COUNT);
    }
  }

  /**
   * Adds up what fields find.
   *
   * @param count 8; no constant, or the loop becomes one body with more lookups than compile well
   */
  private static void partSums3(
      short[] fields, int count, byte[] table, int entries, short[] sums, int to) {
    ShortVector all = ShortVector.broadcast(SHORTS, (short) (257 * BIAS));
    ShortVector odd = ShortVector.broadcast(SHORTS, BIAS);
    for (int field = 0; field < count; field += 2) {
      int entry = entries + field * ProductTable.PAIR_ENTRIES;
      ByteVector couple = ByteVector.zero(BYTES);
      if (BYTE_COUNT == 32) {
        couple = foundByParts(fields, field, table, entry);
        int next = entry + ProductTable.PAIR_ENTRIES;
        couple = couple.add(foundByParts(fields, field + 1, table, next));
      } else { // eight lookups in one body would be too many
        for (int i = 0; i < 2; i++) {
          int at = entry + i * ProductTable.PAIR_ENTRIES;
          couple = couple.add(foundByParts(fields, field + i, table, at));
        }
      }
      ShortVector found = couple.reinterpretAsShorts();
      all = all.add(found);
      odd = odd.add(found.lanewise(LSHR, 8));
    }
    all.sub(odd.lanewise(LSHL, 8)).intoArray(sums, to);
    odd.intoArray(sums, to + ODD_SUMS);
  }

  /** table[at + index &amp; 63] of each byte, where a vector has 32 or 16. */
  private static ByteVector foundByParts(short[] fields, int field, byte[] table, int at) {
    IntVector indices = ints(fields, field * SHORT_COUNT);
    ByteVector index = indices.reinterpretAsBytes();
    VectorMask<Byte> bit5 = indices.lanewise(LSHL, 2).reinterpretAsBytes().lt((byte) 0);
    if (BYTE_COUNT == 32) {
      return entries(index, table, at).blend(entries(index, table, at + 32), bit5);
    }
    VectorMask<Byte> bit4 = indices.lanewise(LSHL, 3).reinterpretAsBytes().lt((byte) 0);
    ByteVector low = entries(index, table, at).blend(entries(index, table, at + 16), bit4);
    ByteVector high = entries(index, table, at + 32).blend(entries(index, table, at + 48), bit4);
    return low.blend(high, bit5);
  }

  private static ByteVector entries(ByteVector index, byte[] table, int at) {
    return index.selectFrom(ByteVector.fromArray(BYTES, table, at));
  }

  /**
   * Sums of runs of nibbles: pairs of columns at 2 bits, columns at 4.
   *
   * @param block first byte of the block of the first run, which is even
   * @param vectors of 64 bytes in a run: 4 or 8
   * @param ahead whether to prefetch weights
   */
  static void sumsOfNibbles(
      MemorySegment data,
      long block,
      int blockBytes,
      int vectors,
      int runs,
      boolean ahead,
      ProductTable table,
      int tableAt,
      short[] sums) {
    if (BYTE_COUNT == TILE_ROWS) {
      long from = data.address() + block;
      long entries = table.entries().address() + tableAt;
      if (vectors == 4) {
        wholeSumsOfPairs(from, blockBytes, runs, ahead, entries, sums);
      } else {
        wholeSumsOfColumns(from, blockBytes, vectors, runs, ahead, entries, sums);
      }
      return;
    }
    for (int run = 0; run < runs; run++) {
      long at = block + (long) (run >> 1) * blockBytes;
      if (ahead && (run & 1) == 0) {
        Prefetch.block(vectors / 2, data.address() + at);
      }
      copyCodes(data, at, sums, run * RUN_SHORTS + CODES);
      long from = at + TILE_ROWS + (run & 1) * 64L * vectors;
      for (int part = 0; part < TILE_ROWS; part += BYTE_COUNT) {
        int to = run * RUN_SHORTS + part / 2;
        int entries = tableAt + run * 32 * vectors;
        if (vectors == 4) {
          partSumsOfPairs(data, from + part, table.unaligned(), entries, sums, to);
        } else {
          partSumsOfColumns(data, from + part, table.unaligned(), entries, sums, to);
        }
      }
    }
  }

  /**
   * At 2 bits. A vector of 64 entries serves 4 nibbles: bits 4 and 5 of the index say which.
   * Written out, or the method is short enough to be inlined.
   */
  private static void wholeSumsOfPairs(
      long block, int blockBytes, int runs, boolean ahead, long table, short[] sums) {
    ShortVector byteShift = ShortVector.broadcast(SHORTS, Byte.SIZE);
    for (int run = 0; run < runs; run++) {
      long at = block + (long) (run >> 1) * blockBytes;
      if (ahead && (run & 1) == 0) {
        Prefetch.block(2, at);
      }
      int to = run * RUN_SHORTS;
      // first, in the order of the bytes: faster
      WholeMemory.shorts(at).intoArray(sums, to + CODES);
      ShortVector all = ShortVector.broadcast(SHORTS, (short) (257 * BIAS));
      ShortVector odd = ShortVector.broadcast(SHORTS, BIAS);
      long from = at + TILE_ROWS + (run & 1) * 256L;
      long entry = table + run * 128;
      for (int v = 0; v < 4; v += 2) {
        IntVector first = WholeMemory.ints(from);
        IntVector second = WholeMemory.ints(from + 64);
        ByteVector four = WholeMemory.bytes(entry);
        ByteVector low = first.reinterpretAsBytes().and((byte) 0x0F).selectFrom(four);
        ByteVector next = first.lanewise(LSHR, 4).reinterpretAsBytes();
        ByteVector high = next.and((byte) 0x0F).or((byte) 0x10).selectFrom(four);
        ByteVector found = low.add(high);
        ShortVector shorts = found.reinterpretAsShorts();
        all = all.add(shorts);
        odd = odd.add(shorts.lanewise(LSHR, byteShift));
        next = second.reinterpretAsBytes();
        low = next.and((byte) 0x0F).or((byte) 0x20).selectFrom(four);
        next = second.lanewise(LSHR, 4).reinterpretAsBytes();
        high = next.or((byte) 0x30).selectFrom(four);
        found = low.add(high);
        shorts = found.reinterpretAsShorts();
        all = all.add(shorts);
        odd = odd.add(shorts.lanewise(LSHR, byteShift));
        from += 128;
        entry += 64;
      }
      all.sub(odd.lanewise(LSHL, byteShift)).intoArray(sums, to);
      odd.intoArray(sums, to + ODD_SUMS);
    }
  }

  /**
   * At 4 bits: a vector of 64 entries serves 4 columns. Written out, too.
   *
   * @param vectors 8; no constant, as in {@link #wholeSums3}
   */
  private static void wholeSumsOfColumns(
      long block, int blockBytes, int vectors, int runs, boolean ahead, long table, short[] sums) {
    ShortVector byteShift = ShortVector.broadcast(SHORTS, Byte.SIZE);
    for (int run = 0; run < runs; run++) {
      long at = block + (long) (run >> 1) * blockBytes;
      if (ahead && (run & 1) == 0) {
        Prefetch.block(4, at);
      }
      int to = run * RUN_SHORTS;
      // first, in the order of the bytes: faster
      WholeMemory.shorts(at).intoArray(sums, to + CODES);
      ShortVector all = ShortVector.broadcast(SHORTS, (short) (257 * BIAS_OF_COLUMNS));
      ShortVector odd = ShortVector.broadcast(SHORTS, BIAS_OF_COLUMNS);
      long from = at + TILE_ROWS + (run & 1) * 512L;
      long entry = table + run * 256;
      for (int v = 0; v < vectors; v += 2) {
        IntVector first = WholeMemory.ints(from);
        IntVector second = WholeMemory.ints(from + 64);
        ByteVector four = WholeMemory.bytes(entry);
        ByteVector low = first.reinterpretAsBytes().and((byte) 0x0F).selectFrom(four);
        ByteVector next = first.lanewise(LSHR, 4).reinterpretAsBytes();
        ByteVector high = next.and((byte) 0x0F).or((byte) 0x10).selectFrom(four);
        ByteVector found = low.add(high);
        ShortVector shorts = found.reinterpretAsShorts();
        all = all.add(shorts);
        odd = odd.add(shorts.lanewise(LSHR, byteShift));
        next = second.reinterpretAsBytes();
        low = next.and((byte) 0x0F).or((byte) 0x20).selectFrom(four);
        next = second.lanewise(LSHR, 4).reinterpretAsBytes();
        high = next.or((byte) 0x30).selectFrom(four);
        found = low.add(high);
        shorts = found.reinterpretAsShorts();
        all = all.add(shorts);
        odd = odd.add(shorts.lanewise(LSHR, byteShift));
        from += 128;
        entry += 64;
      }
      all.sub(odd.lanewise(LSHL, byteShift)).intoArray(sums, to);
      odd.intoArray(sums, to + ODD_SUMS);
    }
  }

  private static ByteVector found(IntVector index, ByteVector entries) {
    return index.reinterpretAsBytes().selectFrom(entries);
  }

  private static void partSumsOfPairs(
      MemorySegment data, long from, byte[] table, int entries, short[] sums, int to) {
    ShortVector all = ShortVector.broadcast(SHORTS, (short) (257 * BIAS));
    ShortVector odd = ShortVector.broadcast(SHORTS, BIAS);
    for (int v = 0; v < 4; v++) {
      ShortVector found =
          both(Lanes.ints(data, from + 64L * v), table, entries + 32 * v).reinterpretAsShorts();
      all = all.add(found);
      odd = odd.add(found.lanewise(LSHR, 8));
    }
    all.sub(odd.lanewise(LSHL, 8)).intoArray(sums, to);
    odd.intoArray(sums, to + ODD_SUMS);
  }

  private static void partSumsOfColumns(
      MemorySegment data, long from, byte[] table, int entries, short[] sums, int to) {
    ShortVector all = ShortVector.broadcast(SHORTS, (short) (257 * BIAS_OF_COLUMNS));
    ShortVector odd = ShortVector.broadcast(SHORTS, BIAS_OF_COLUMNS);
    for (int v = 0; v < 8; v++) {
      ShortVector found =
          both(Lanes.ints(data, from + 64L * v), table, entries + 32 * v).reinterpretAsShorts();
      all = all.add(found);
      odd = odd.add(found.lanewise(LSHR, 8));
    }
    all.sub(odd.lanewise(LSHL, 8)).intoArray(sums, to);
    odd.intoArray(sums, to + ODD_SUMS);
  }

  /**
   * What the nibbles of a byte find in 16 entries each, together. Of an index only the lowest 4 or
   * 5 bits count, as many as a vector has entries for.
   */
  private static ByteVector both(IntVector nibbles, byte[] table, int at) {
    IntVector high = nibbles.lanewise(LSHR, 4);
    ByteVector first = ByteVector.fromArray(BYTES, table, at);
    if (BYTE_COUNT == 32) {
      IntVector low = nibbles.and(LOW_NIBBLES);
      return found(low, first).add(found(high.or(0x1010_1010), first));
    }
    return found(nibbles, first).add(found(high, ByteVector.fromArray(BYTES, table, at + 16)));
  }

  private static void copyCodes(MemorySegment data, long block, short[] sums, int to) {
    for (int i = 0; i < 32; i += SHORT_COUNT) {
      shorts(data, block + 2L * i).intoArray(sums, to + i);
    }
  }

  private static ShortVector shorts(MemorySegment data, long at) {
    return ShortVector.fromMemorySegment(SHORTS, data, at, ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * rowSums[r] ← fma(sum, scaleTable[code] · runScale, rowSums[r]), run by run.
   *
   * @param runs an even number
   * @param runScales of the runs, from firstRun on
   */
  static void addScaled(
      short[] sums,
      int runs,
      float[] scaleTable,
      float[] runScales,
      int firstRun,
      float[] rowSums) {
    if (COUNT == 16) {
      addWholeScaled(sums, runs, scaleTable, runScales, firstRun, rowSums);
    } else {
      for (int row = 0; row < TILE_ROWS; row += COUNT) {
        addPartScaled(sums, runs, scaleTable, runScales, firstRun, row, rowSums);
      }
    }
  }

  /** Where a vector has 16 floats: the whole scale table. */
  private static void addWholeScaled(
      short[] sums,
      int runs,
      float[] scaleTable,
      float[] runScales,
      int firstRun,
      float[] rowSums) {
    FloatVector table = FloatVector.fromArray(Lanes.FLOATS, scaleTable, 0);
    FloatVector s0 = FloatVector.fromArray(Lanes.FLOATS, rowSums, 0);
    FloatVector s1 = FloatVector.fromArray(Lanes.FLOATS, rowSums, 16);
    FloatVector s2 = FloatVector.fromArray(Lanes.FLOATS, rowSums, 32);
    FloatVector s3 = FloatVector.fromArray(Lanes.FLOATS, rowSums, 48);
    for (int run = 0; run < runs; run++) {
      int at = run * RUN_SHORTS;
      IntVector scales = table.mul(runScales[firstRun + run]).reinterpretAsInts();
      IntVector even = ints(sums, at);
      IntVector odd = ints(sums, at + ODD_SUMS);
      IntVector codes = ints(sums, at + CODES).lanewise(LSHR, 16 * (run & 1));
      s0 = low(even).fma(codes.selectFrom(scales).reinterpretAsFloats(), s0);
      codes = codes.lanewise(LSHR, 4);
      s1 = low(odd).fma(codes.selectFrom(scales).reinterpretAsFloats(), s1);
      codes = codes.lanewise(LSHR, 4);
      s2 = high(even).fma(codes.selectFrom(scales).reinterpretAsFloats(), s2);
      codes = codes.lanewise(LSHR, 4);
      s3 = high(odd).fma(codes.selectFrom(scales).reinterpretAsFloats(), s3);
    }
    s0.intoArray(rowSums, 0);
    s1.intoArray(rowSums, 16);
    s2.intoArray(rowSums, 32);
    s3.intoArray(rowSums, 48);
  }

  /** Of the rows from row on, as many as a vector has lanes. */
  private static void addPartScaled(
      short[] sums,
      int runs,
      float[] scaleTable,
      float[] runScales,
      int firstRun,
      int row,
      float[] rowSums) {
    IntVector t0 = Lanes.part(scaleTable, 0);
    IntVector t1 = Lanes.part(scaleTable, 1);
    IntVector t2 = Lanes.part(scaleTable, 2);
    IntVector t3 = Lanes.part(scaleTable, 3);
    int quarter = row / 16;
    int from = 2 * (row % 16) + ODD_SUMS * (quarter % 2);
    int codesAt = 2 * (row % 16) + CODES;
    int up = quarter < 2 ? 16 : 0; // what brings the row's half of an int to the top
    FloatVector sum = FloatVector.fromArray(Lanes.FLOATS, rowSums, row);
    for (int run = 0; run < runs; run++) {
      int at = run * RUN_SHORTS;
      IntVector codes = ints(sums, at + codesAt).lanewise(LSHR, 16 * (run & 1) + 4 * quarter);
      FloatVector scale = Lanes.lookup(codes, t0, t1, t2, t3).mul(runScales[firstRun + run]);
      sum = high(ints(sums, at + from).lanewise(LSHL, up)).fma(scale, sum);
    }
    sum.intoArray(rowSums, row);
  }

  private static IntVector ints(short[] from, int at) {
    return ShortVector.fromArray(SHORTS, from, at).reinterpretAsInts();
  }

  private static FloatVector low(IntVector pairs) {
    return (FloatVector) pairs.lanewise(LSHL, 16).lanewise(ASHR, 16).convert(I2F, 0);
  }

  private static FloatVector high(IntVector pairs) {
    return (FloatVector) pairs.lanewise(ASHR, 16).convert(I2F, 0);
  }
}
