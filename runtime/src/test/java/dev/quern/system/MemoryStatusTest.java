package dev.quern.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryStatusTest {
  private static final long MIB = 1 << 20;

  @TempDir private Path root;

  @BeforeEach
  void eightGibibytes() throws IOException {
    write(
        "proc/meminfo",
        "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n");
  }

  /** In place, as the system does: files that are open see it. */
  private void write(String file, String text) throws IOException {
    Path path = root.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }

  private void group2(String folder, String max, String high, long current, long inactive)
      throws IOException {
    String path = "sys/fs/cgroup/" + folder + "/";
    write(path + "memory.max", max + "\n");
    write(path + "memory.high", high + "\n");
    write(path + "memory.current", current + "\n");
    write(
        path + "memory.stat",
        "anon 5\nfile 6\ninactive_file %d\nactive_file 9\n".formatted(inactive));
  }

  private long available() {
    try (MemoryStatus status = MemoryStatus.open(root)) {
      return status.availableBytes();
    }
  }

  @Test
  void withoutGroupsTheSystemTells() {
    assertEquals(8192 * MIB, available());
  }

  @Test
  void nothingIsKnownOnOtherSystems() throws IOException {
    Files.delete(root.resolve("proc/meminfo"));
    try (MemoryStatus status = MemoryStatus.open(root)) {
      assertFalse(status.known());
      assertEquals(Long.MAX_VALUE, status.availableBytes());
    }
  }

  @Test
  void theTightestGroupOnTheWayUpCounts() throws IOException {
    write("proc/self/cgroup", "0::/user/job\n");
    group2("user/job", "max", "max", 700 * MIB, 0);
    group2("user", "" + 1000 * MIB, "max", 700 * MIB, 100 * MIB);
    assertEquals(400 * MIB, available());
    group2("user/job", "" + 900 * MIB, "max", 700 * MIB, 50 * MIB);
    assertEquals(250 * MIB, available());
    group2("user/job", "" + 900 * MIB, "" + 600 * MIB, 700 * MIB, 50 * MIB);
    assertEquals(0, available(), "above the mark from which the system slows us down");
  }

  @Test
  void insideAContainerTheMountIsTheGroup() throws IOException {
    write("proc/self/cgroup", "0::/../host/path\n");
    group2(".", "" + 300 * MIB, "max", 100 * MIB, 0);
    assertEquals(200 * MIB, available());
  }

  @Test
  void changesAreSeen() throws IOException {
    write("proc/self/cgroup", "0::/job\n");
    group2("job", "max", "max", 0, 0);
    try (MemoryStatus status = MemoryStatus.open(root)) {
      assertEquals(8192 * MIB, status.availableBytes());
      group2("job", "" + 64 * MIB, "max", 10 * MIB, 2 * MIB);
      assertEquals(56 * MIB, status.availableBytes());
      write("proc/meminfo", "MemAvailable: 1024 kB\n");
      assertEquals(MIB, status.availableBytes());
    }
  }

  @Test
  void versionOne() throws IOException {
    write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/a/b\n0::/\n");
    String group = "sys/fs/cgroup/memory/a/b/";
    write(group + "memory.usage_in_bytes", 500 * MIB + "\n");
    write(group + "memory.stat", "inactive_file 1\ntotal_inactive_file %d\n".formatted(80 * MIB));
    write(group + "memory.limit_in_bytes", "9223372036854771712\n");
    assertEquals(8192 * MIB, available(), "no limit");
    write(group + "memory.limit_in_bytes", 600 * MIB + "\n");
    assertEquals(180 * MIB, available());
    String above = "sys/fs/cgroup/memory/a/";
    write(above + "memory.usage_in_bytes", 900 * MIB + "\n");
    write(above + "memory.stat", "total_inactive_file 0\n");
    write(above + "memory.limit_in_bytes", 1000 * MIB + "\n");
    assertEquals(100 * MIB, available());
  }

  @Test
  void thisMachine() {
    assumeTrue(Files.exists(Path.of("/proc/meminfo")), "not Linux");
    try (MemoryStatus status = MemoryStatus.open()) {
      assertTrue(status.known());
      long available = status.availableBytes();
      assertTrue(available > MIB && available < 1L << 50, () -> "" + available);
    }
  }

  @Test
  void processIoReadsBothCounters() throws IOException {
    write(
        "io",
        "rchar: 1\nwchar: 2\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 0\n");
    assertEquals(Optional.of(new ProcessIo(4096, 8192)), ProcessIo.read(root.resolve("io")));
    write("io", "rchar: 1\n");
    assertEquals(Optional.empty(), ProcessIo.read(root.resolve("io")));
    assertEquals(Optional.empty(), ProcessIo.read(root.resolve("none")));
    assertEquals(new ProcessIo(1, 5), new ProcessIo(4, 7).since(new ProcessIo(3, 2)));
  }
}
