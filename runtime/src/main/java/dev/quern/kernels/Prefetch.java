package dev.quern.kernels;

import dev.quern.system.MachineCode;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Prefetches the weights of a block {@link #DISTANCE} ahead into the processor's cache, by
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

  private static final Path CPU_INFO = Path.of("/proc/cpuinfo");

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
      case "auto" -> isIntel();
      default ->
          throw new IllegalArgumentException(
              "-Dquern.prefetch: expected on, off or auto, found " + choice);
    };
  }

  private static boolean isIntel() {
    if (!isX86() || !Files.isReadable(CPU_INFO)) {
      return false;
    }
    try (Stream<String> lines = Files.lines(CPU_INFO)) {
      return lines.limit(2).anyMatch(line -> line.endsWith("GenuineIntel"));
    } catch (IOException e) {
      return false;
    }
  }

  private static boolean isX86() {
    return System.getProperty("os.arch").equals("amd64");
  }

  /**
   * One function per number of bits, each a constant or the call is a slow one; null where there
   * can be none.
   */
  private static final class Functions {
    static final MethodHandle BLOCK_OF_2_BITS = ofBlock(2);
    static final MethodHandle BLOCK_OF_3_BITS = ofBlock(3);
    static final MethodHandle BLOCK_OF_4_BITS = ofBlock(4);

    private static MethodHandle ofBlock(int bits) {
      return find(1 + 4 * bits).orElse(null); // scale codes and two runs
    }

    private static Optional<MethodHandle> find(int lines) {
      if (!isX86()) {
        return Optional.empty();
      }
      // The only argument, an address, is in RDI.
      FunctionDescriptor descriptor = FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG);
      Linker.Option atOnce = Linker.Option.critical(false);
      return MachineCode.load(code(lines))
          .map(code -> Linker.nativeLinker().downcallHandle(code, descriptor, atOnce));
    }
  }

  /** PREFETCHT0 [RDI + distance] of so many lines, then RET. */
  static byte[] code(int lines) {
    ByteBuffer code = ByteBuffer.allocate(lines * 7 + 1).order(ByteOrder.LITTLE_ENDIAN);
    for (int line = 0; line < lines; line++) {
      code.put((byte) 0x0F).put((byte) 0x18).put((byte) 0x8F).putInt(DISTANCE + line * LINE_BYTES);
    }
    return code.put((byte) 0xC3).array();
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
      throw new IllegalStateException("a call of machine code failed", e);
    }
  }
}
