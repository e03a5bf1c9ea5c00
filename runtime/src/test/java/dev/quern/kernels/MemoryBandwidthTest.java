package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class MemoryBandwidthTest {

  /** No machine reads slower than 0.2 GB/s once compiled, none of 2026 faster than 20 TB/s. */
  @Test
  void isARateAMachineCanHave() {
    double gigabytesPerSecond = MemoryBandwidth.measure(2);
    assertTrue(
        gigabytesPerSecond > 0.2 && gigabytesPerSecond < 20_000, "GB/s: " + gigabytesPerSecond);
  }
}
