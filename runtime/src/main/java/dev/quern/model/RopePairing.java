package dev.quern.model;

/** Which two elements of a head RoPE turns together. */
public enum RopePairing {
  /** i and i + headDim/2, the convention of NeoX and of Hugging Face's models. */
  HALVES,
  /** 2i and 2i + 1, the convention of the RoPE paper (arXiv 2104.09864). */
  ADJACENT
}
