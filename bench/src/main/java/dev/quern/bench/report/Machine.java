package dev.quern.bench.report;

import dev.quern.system.Processor;
import java.lang.management.ManagementFactory;
import java.util.List;

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
  public Machine {
    jvmFlags = List.copyOf(jvmFlags);
  }

  public static Machine detect(int threads, double readBytesPerSecond) {
    return new Machine(
        Processor.current().model().orElse(System.getProperty("os.arch")),
        Runtime.getRuntime().availableProcessors(),
        threads,
        physicalMemoryBytes(),
        readBytesPerSecond,
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        System.getProperty("java.vm.vendor") + " " + Runtime.version(),
        ManagementFactory.getRuntimeMXBean().getInputArguments());
  }

  private static long physicalMemoryBytes() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getTotalMemorySize()
        : 0;
  }
}
