package dev.quern.bench.speed;

import dev.quern.bench.jmh.MultiplyAddPeak;
import dev.quern.kernels.MemoryBandwidth;

/**
 * What the machine can do at most, measured in the same run as what is held against it.
 *
 * @param threads of the second and fourth figure
 * @param readOne GB/s read from memory by one thread
 * @param readAll GB/s read from memory by all threads
 * @param operationsOne 10^9 float32 operations per second in registers, one thread
 * @param operationsAll the same, all threads
 */
public record Ceilings(
    int threads, double readOne, double readAll, double operationsOne, double operationsAll) {
  public static Ceilings measure(int threads) {
    return new Ceilings(
        threads,
        MemoryBandwidth.measure(1),
        MemoryBandwidth.measure(threads),
        MultiplyAddPeak.measure(1),
        MultiplyAddPeak.measure(threads));
  }
}
