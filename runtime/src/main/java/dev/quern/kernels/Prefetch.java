package dev.quern.kernels;

import dev.quern.system.MachineCode;
import dev.quern.system.Processor;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Prefetches weights, keys and values {@link #DISTANCE} ahead into the processor's cache, by
 * instructions that wait for nothing and cannot fail. Java has no such instruction, so a function
 * of a few of them, made here, is called: where that is not possible nothing happens, and in no
 * case does a result change.
 *
 * <p>What is gained depends on how well a processor reads ahead by itself, so it is done where it
 * has been measured to be faster: see docs/decisions.md, "Weights are prefetched into cache".
 * {@code -Dquern.prefetch=on|off|auto} overrides that.
 */
final class Prefetch {
  /** In bytes: 1 to 3 KiB were tried. */
  static final int DISTANCE = 1536;

  private static final int LINE_BYTES = 64;

  /** Smaller matrices, which end before much could be read ahead, are likely in cache. */
  static final long MIN_BYTES = 64 << 10;

  /** Columns of a panel of halves, a line each, that {@link #halves} prefetches. */
  static final int HALF_COLUMNS = 16;

  private static final byte[] PREFETCH = {0x0F, 0x18};
  private static final byte RET = (byte) 0xC3;
  static final byte[] OF_RDI = {(byte) 0x8F};
  static final byte[] OF_RDI_AND_RSI = {(byte) 0x8C, 0x37};

  private Prefetch() {}

  /**
   * Whether to prefetch on this machine.
   *
   * @throws IllegalArgumentException if the property has another value
   */
  static boolean pays() {
    String choice = System.getProperty("quern.prefetch", "auto");
    return switch (choice) {
      case "on" -> true;
      case "off" -> false;
      case "auto" -> Processor.isX86() && Processor.current().isIntel();
      default ->
          throw new IllegalArgumentException(
              "-Dquern.prefetch: expected on, off or auto, found " + choice);
    };
  }

  /**
   * A function per number of lines, each a constant or the call is a slow one; null where there can
   * be none.
   */
  private static final class Functions {
    static final MethodHandle BLOCK_OF_2_BITS = ofBlock(2);
    static final MethodHandle BLOCK_OF_3_BITS = ofBlock(3);
    static final MethodHandle BLOCK_OF_4_BITS = ofBlock(4);
    static final MethodHandle RUN_OF_BYTES = of(TileLayout.RUN_COLS);
    static final MethodHandle HALVES =
        find(
            code(HALF_COLUMNS, OF_RDI_AND_RSI),
            FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));

    private static MethodHandle ofBlock(int bits) {
      return of(1 + 4 * bits); // scale codes and two runs
    }

    private static MethodHandle of(int lines) {
      return find(code(lines, OF_RDI), FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));
    }

    private static MethodHandle find(byte[] code, FunctionDescriptor descriptor) {
      if (!Processor.isX86()) {
        return null;
      }
      Linker.Option atOnce = Linker.Option.critical(true);
      return MachineCode.load(code)
          .map(start -> Linker.nativeLinker().downcallHandle(start, descriptor, atOnce))
          .orElse(null);
    }
  }

  /**
   * PREFETCHT0 of so many lines, then RET (Intel 64 and IA-32 Architectures Software Developer's
   * Manual, volume 2, 2.1 and PREFETCHh).
   *
   * @param operand ModR/M and SIB bytes of the address to which the distance is added: the first
   *     argument is in RDI, the second in RSI
   */
  static byte[] code(int lines, byte... operand) {
    int bytes = 2 + operand.length + Integer.BYTES;
    ByteBuffer code = ByteBuffer.allocate(lines * bytes + 1).order(ByteOrder.LITTLE_ENDIAN);
    for (int line = 0; line < lines; line++) {
      code.put(PREFETCH).put(operand).putInt(DISTANCE + line * LINE_BYTES);
    }
    return code.put(RET).array();
  }

  /**
   * The block that begins {@link #DISTANCE} after an address, of two runs of 64 rows; it need not
   * be there.
   *
   * @param bits 2, 3 or 4
   */
  static void block(int bits, long address) {
    MethodHandle function =
        switch (bits) {
          case 2 -> Functions.BLOCK_OF_2_BITS;
          case 3 -> Functions.BLOCK_OF_3_BITS;
          default -> Functions.BLOCK_OF_4_BITS;
        };
    if (function == null) {
      return;
    }
    try {
      function.invokeExact(address);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  /** As many bytes as a run of 64 rows has at 8 bits, {@link #DISTANCE} after an address. */
  static void runOfBytes(long address) {
    if (Functions.RUN_OF_BYTES == null) {
      return;
    }
    try {
      Functions.RUN_OF_BYTES.invokeExact(address);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  /** The {@link #HALF_COLUMNS} lines that begin {@link #DISTANCE} after an element. */
  static void halves(short[] halves, int at) {
    if (Functions.HALVES == null) {
      return;
    }
    try {
      Functions.HALVES.invokeExact(MemorySegment.ofArray(halves), (long) at * Short.BYTES);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  private static IllegalStateException failed(Throwable e) {
    return new IllegalStateException("a call of machine code failed", e);
  }
}
