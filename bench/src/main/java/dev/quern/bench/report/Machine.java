package dev.quern.bench.report;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Where a measurement was made.
 *
 * @param cores logical processors that this JVM may use
 * @param threads of the measured runtime
 * @param readBytesPerSecond measured with the same number of threads; 0 if not measured
 * @param jvmFlags as given to this JVM
 */
public record Machine(
    String cpu,
    int cores,
    int threads,
    long memoryBytes,
    double readBytesPerSecond,
    String os,
    String jvm,
    List<String> jvmFlags) {
  private static final Path CPU_INFO = Path.of("/proc/cpuinfo");

  public Machine {
    jvmFlags = List.copyOf(jvmFlags);
  }

  public static Machine detect(int threads, double readBytesPerSecond) {
    return new Machine(
        cpuModel(),
        Runtime.getRuntime().availableProcessors(),
        threads,
        physicalMemoryBytes(),
        readBytesPerSecond,
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        System.getProperty("java.vm.vendor") + " " + Runtime.version(),
        ManagementFactory.getRuntimeMXBean().getInputArguments());
  }

  private static String cpuModel() {
    if (Files.isReadable(CPU_INFO)) {
      try (Stream<String> lines = Files.lines(CPU_INFO)) {
        return lines
            .filter(line -> line.startsWith("model name"))
            .map(line -> line.substring(line.indexOf(':') + 1).strip())
            .findFirst()
            .orElse(System.getProperty("os.arch"));
      } catch (IOException e) {
        return System.getProperty("os.arch"); // a report without the CPU's name is still a report
      }
    }
    return System.getProperty("os.arch");
  }

  private static long physicalMemoryBytes() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getTotalMemorySize()
        : 0;
  }
}
