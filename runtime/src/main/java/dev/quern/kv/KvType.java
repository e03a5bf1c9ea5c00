package dev.quern.kv;

/** How keys and values are stored. */
public enum KvType {
  /**
   * IEEE half precision: 11 significant bits, up to 65504. Beside an element of at least 2^-4 those
   * below 2^-14 are rounded to a multiple of that.
   */
  F16(Short.BYTES),
  F32(Float.BYTES);

  private final int bytes;

  KvType(int bytes) {
    this.bytes = bytes;
  }

  /** Of an element. */
  public int bytes() {
    return bytes;
  }
}
