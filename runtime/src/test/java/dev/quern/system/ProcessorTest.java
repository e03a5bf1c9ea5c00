package dev.quern.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessorTest {
  /** Lines of a server with AVX-512 as Linux 6 writes them, most flags left out. */
  private static final String CPU_INFO =
      """
      processor\t: 0
      vendor_id\t: GenuineIntel
      model name\t: Intel(R) Xeon(R) Processor
      flags\t\t: fpu avx2 avx512f avx512bw avx512vl avx512vbmi avx512_vbmi2 avx512_vnni

      processor\t: 1
      vendor_id\t: AuthenticAMD
      model name\t: another
      flags\t\t: fpu avx2
      """;

  @TempDir private Path root;

  @Test
  void theFirstProcessorIsTakenForAll() throws IOException {
    write("proc/cpuinfo", CPU_INFO);
    Processor processor = new Processor(root);
    assertEquals(Optional.of("Intel(R) Xeon(R) Processor"), processor.model());
    assertTrue(processor.isIntel());
    assertTrue(processor.has("avx512vbmi"));
    assertFalse(processor.lacks("avx512vbmi"));
    assertFalse(processor.has("avx512"), "a part of a flag");
    assertTrue(processor.lacks("avx512"));
  }

  @Test
  void nothingIsKnownWithoutLinux() {
    Processor processor = new Processor(root);
    assertEquals(Optional.empty(), processor.model());
    assertFalse(processor.isIntel());
    assertFalse(processor.has("fpu"));
    assertFalse(processor.lacks("fpu"));
    assertEquals(6, processor.cores(6));
  }

  @Test
  void siblingsAreOneCore() throws IOException {
    allow("0-3,6");
    siblings(0, "0,2");
    siblings(1, "1,3");
    siblings(2, "0,2");
    siblings(3, "1,3");
    siblings(6, "6-7");
    assertEquals(3, new Processor(root).cores(5));
    assertEquals(2, new Processor(root).cores(2), "a quota may leave less");
  }

  @Test
  void everyProcessorCountsWhereSiblingsAreUnknown() throws IOException {
    allow("0-1");
    siblings(0, "0-1");
    assertEquals(2, new Processor(root).cores(2));
  }

  @Test
  void thisMachineHasCores() {
    int processors = Runtime.getRuntime().availableProcessors();
    int cores = Processor.current().cores(processors);
    assertTrue(cores >= 1 && cores <= processors, cores + " cores of " + processors);
  }

  private void allow(String list) throws IOException {
    write("proc/self/status", "Name:\tjava\nCpus_allowed:\tff\nCpus_allowed_list:\t" + list + "\n");
  }

  private void siblings(int cpu, String list) throws IOException {
    write("sys/devices/system/cpu/cpu" + cpu + "/topology/thread_siblings_list", list + "\n");
  }

  private void write(String file, String text) throws IOException {
    Path path = root.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }
}
