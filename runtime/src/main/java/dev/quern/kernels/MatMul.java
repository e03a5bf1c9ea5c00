package dev.quern.kernels;

/**
 * Products of weight matrices with batches of vectors, over a fixed set of threads. Results do not
 * depend on how many.
 *
 * <p>Products are collected with {@link #add} and run together in one parallel region by {@link
 * #run}; a batch of few vectors runs the decode kernel per vector, a larger one looks products up
 * for several vectors at once or dequantizes a tile once and multiplies it with all of them.
 * Nothing is allocated once buffers have grown to the shapes in use.
 */
public interface MatMul extends AutoCloseable {

  /**
   * Adds y[yOffset + t·yStride + r] = Σ_c W[r, c] x[xOffset + t·xStride + c] for t in [0, vectors),
   * r in [0, rows). Nothing is read or written before {@link #run}.
   */
  void add(
      Matrix w,
      float[] x,
      int xOffset,
      int xStride,
      int vectors,
      float[] y,
      int yOffset,
      int yStride);

  /**
   * Computes all added products, then forgets them. Products of one run must not read what another
   * writes.
   */
  void run();

  /** Forgets added products without computing them: those of a pass that failed before its run. */
  void forget();

  /**
   * The threads, for other work that splits into independent pieces: attention heads, rows to
   * rotate.
   */
  Workers workers();

  /** Waits for a run of another thread; later ones fail. Weights may then be unmapped. */
  @Override
  void close();

  /**
   * @param threads at least 1; the calling thread is one of them
   * @param activations what batches are multiplied as
   */
  static MatMul create(Kernels kernels, int threads, Activations activations) {
    return create(kernels, Workers.create(threads), activations);
  }

  /**
   * @param workers closed with it
   * @param activations what batches are multiplied as
   */
  static MatMul create(Kernels kernels, Workers workers, Activations activations) {
    return new TiledMatMul(kernels, workers, activations);
  }
}
