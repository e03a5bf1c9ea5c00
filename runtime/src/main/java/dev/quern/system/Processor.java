package dev.quern.system;

import static java.util.stream.Collectors.toMap;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What Linux tells of the processor, in proc(5) and in {@code /sys/devices/system/cpu} (Linux,
 * Documentation/admin-guide/cputopology.rst). Other systems tell nothing.
 */
public final class Processor {
  private static final Processor THIS = new Processor(Path.of("/"));

  private final Path root;
  private final Map<String, String> info; // of the first logical processor

  /**
   * @param root of the file system
   */
  Processor(Path root) {
    this.root = root;
    info = values("proc/cpuinfo");
  }

  /** That of this machine. */
  public static Processor current() {
    return THIS;
  }

  /** Whether the JVM runs on x86 with 64 bits, whatever the system tells. */
  public static boolean isX86() {
    return System.getProperty("os.arch").equals("amd64");
  }

  /** Its name for people; empty where it is not known. */
  public Optional<String> model() {
    return Optional.ofNullable(info.get("model name"));
  }

  /** Whether it is known to be one of Intel's. */
  public boolean isIntel() {
    return "GenuineIntel".equals(info.get("vendor_id"));
  }

  /**
   * Whether it is known to have what a flag of {@code /proc/cpuinfo} stands for.
   *
   * @param flag such as {@code avx512vbmi}
   */
  public boolean has(String flag) {
    return flags().filter(flags -> flags.contains(flag)).isPresent();
  }

  /** Whether it is known not to have that. */
  public boolean lacks(String flag) {
    return flags().filter(flags -> !flags.contains(flag)).isPresent();
  }

  private Optional<List<String>> flags() {
    return Optional.ofNullable(info.get("flags")).map(flags -> List.of(flags.split(" ")));
  }

  /**
   * Cores that this process may use: of those that run two threads at once (SMT) each counts once,
   * as two threads that multiply share what one can use alone.
   *
   * @param processors logical ones that the process may use; the result where nothing else is known
   * @return 1 to processors
   */
  public int cores(int processors) {
    Set<String> cores = new HashSet<>();
    int[] allowed = allowed();
    for (int cpu : allowed) {
      Optional<String> ofCore = siblings(cpu);
      if (ofCore.isEmpty()) {
        return processors;
      }
      cores.add(ofCore.get());
    }
    return allowed.length == 0 ? processors : Math.min(processors, cores.size());
  }

  /** The logical processors of this process; none where they are not known. */
  private int[] allowed() {
    return Optional.ofNullable(values("proc/self/status").get("Cpus_allowed_list"))
        .map(list -> Stream.of(list.split(",")).flatMapToInt(Processor::range).toArray())
        .orElseGet(() -> new int[0]);
  }

  /** Of {@code 3} that number, of {@code 3-5} all three. */
  private static IntStream range(String text) {
    String[] ends = text.strip().split("-");
    return IntStream.rangeClosed(
        Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1]));
  }

  /** The logical processors of the core that one belongs to, written in one way. */
  private Optional<String> siblings(int cpu) {
    Path topology = root.resolve("sys/devices/system/cpu/cpu" + cpu, "topology");
    try {
      return Optional.of(Files.readString(topology.resolve("thread_siblings_list")));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** Lines of a key, a colon and a value, up to the first empty one; none if there is no file. */
  private Map<String, String> values(String file) {
    try (Stream<String> lines = Files.lines(root.resolve(file), StandardCharsets.ISO_8859_1)) {
      return lines
          .takeWhile(line -> !line.isBlank())
          .map(line -> line.split(":", 2))
          .filter(parts -> parts.length == 2)
          .collect(toMap(parts -> parts[0].strip(), parts -> parts[1].strip(), (a, b) -> a));
    } catch (IOException | UncheckedIOException e) {
      return Map.of();
    }
  }
}
