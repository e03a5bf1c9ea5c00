package dev.quern.bench.plan;

/** Seconds that the kernels take, decoding. */
interface KernelTimes {

  /**
   * One product with one vector, the weights coming from memory, with the rotation of its input if
   * it has one.
   */
  double product(StoredMap map);

  /** Reading so many bytes of memory. */
  double reading(long bytes);
}
