package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PrefetchTest {
  /** As GNU as 2.40 assembles prefetcht0 1536(%rdi); prefetcht0 1600(%rdi); ret. */
  @Test
  void codeAsksForTheLinesAtADistance() {
    String expected = "0f188f00060000" + "0f188f40060000" + "c3";
    assertEquals(expected, HexFormat.of().formatHex(Prefetch.code(2, Prefetch.OF_RDI)));
  }

  /** As GNU as 2.40 assembles prefetcht0 1536(%rdi,%rsi); ret. */
  @Test
  void addressMayBeASum() {
    String expected = "0f188c3700060000" + "c3";
    assertEquals(expected, HexFormat.of().formatHex(Prefetch.code(1, Prefetch.OF_RDI_AND_RSI)));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, Long.MIN_VALUE, -1})
  void whereNoMemoryIsNothingHappens(long address) {
    Prefetch.block(2, address);
    Prefetch.block(3, address);
    Prefetch.block(4, address);
    Prefetch.runOfBytes(address);
  }

  @Test
  void elementsBeyondAnArrayMayBePrefetched() {
    short[] halves = {1, 2, 3};
    Prefetch.halves(halves, 2);
    assertArrayEquals(new short[] {1, 2, 3}, halves);
  }
}
