package dev.quern.system;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * How much memory could be taken now without anyone being pushed out: the least of what the system
 * has and what the control groups of this process allow. Cheap enough to ask ten times a second;
 * not for several threads.
 *
 * <p>Sources: Linux, {@code proc_meminfo(5)}, {@code Documentation/admin-guide/cgroup-v2.rst} and
 * {@code cgroup-v1/memory.rst}. A group's page cache that nobody has used lately counts as free.
 */
public final class MemoryStatus implements AutoCloseable {
  private static final String UNIFIED = "";

  private final List<StatusFile> meminfo = new ArrayList<>(); // at most one
  private final List<Group> groups = new ArrayList<>(); // of this process, and those around it

  /**
   * Files of one control group.
   *
   * @param limits bytes, or "max"
   * @param inactiveKey the line of stat with the page cache that can be had back
   */
  private record Group(
      List<StatusFile> limits, StatusFile usage, StatusFile stat, String inactiveKey) {

    /** Bytes that its processes may still take. */
    long available() throws IOException {
      long limit = Long.MAX_VALUE;
      for (StatusFile file : limits) {
        limit = Math.min(limit, file.number());
      }
      // Version 1 writes the largest whole number of pages for none.
      if (limit >= Long.MAX_VALUE / 2) {
        return Long.MAX_VALUE;
      }
      long used = usage.number() - Math.max(0, stat.number(inactiveKey));
      return Math.max(0, limit - Math.max(0, used));
    }

    void close() {
      limits.forEach(StatusFile::close);
      usage.close();
      stat.close();
    }
  }

  private MemoryStatus() {}

  /** Of this process. */
  public static MemoryStatus open() {
    return open(Path.of("/"));
  }

  /**
   * @param root under which proc and sys lie
   */
  static MemoryStatus open(Path root) {
    MemoryStatus status = new MemoryStatus();
    StatusFile.open(root.resolve("proc/meminfo")).ifPresent(status.meminfo::add);
    Path mount = root.resolve("sys/fs/cgroup");
    try {
      for (String line : Files.readAllLines(root.resolve("proc/self/cgroup"))) {
        String[] parts = line.split(":", 3); // number, controllers, path
        if (parts.length == 3 && parts[1].equals(UNIFIED)) {
          status.addUnified(mount, parts[2]);
          status.addUnified(mount.resolve("unified"), parts[2]);
        } else if (parts.length == 3 && List.of(parts[1].split(",")).contains("memory")) {
          status.addVersion1(mount.resolve("memory"), parts[2]);
        }
      }
    } catch (IOException e) {
      // no control groups here
    }
    return status;
  }

  private void addUnified(Path mount, String path) {
    for (Path folder : upwards(mount, path)) {
      add(
          folder,
          List.of("memory.max", "memory.high"),
          "memory.current",
          "memory.stat",
          "inactive_file");
    }
  }

  private void addVersion1(Path mount, String path) {
    for (Path folder : upwards(mount, path)) {
      add(
          folder,
          List.of("memory.limit_in_bytes"),
          "memory.usage_in_bytes",
          "memory.stat",
          "total_inactive_file");
    }
  }

  /** Inside a container the path may be the host's, of which only the mount itself is seen. */
  private static List<Path> upwards(Path mount, String path) {
    List<Path> folders = new ArrayList<>();
    Path folder = mount.resolve(path.replaceFirst("^/+", "")).normalize();
    for (; folder.startsWith(mount) && !folder.equals(mount); folder = folder.getParent()) {
      folders.add(folder);
    }
    folders.add(mount);
    return folders;
  }

  private void add(
      Path folder, List<String> limitNames, String usage, String stat, String inactiveKey) {
    List<StatusFile> limits = new ArrayList<>();
    for (String name : limitNames) {
      StatusFile.open(folder.resolve(name)).ifPresent(limits::add);
    }
    var usageFile = StatusFile.open(folder.resolve(usage));
    var statFile = StatusFile.open(folder.resolve(stat));
    if (!limits.isEmpty() && usageFile.isPresent() && statFile.isPresent()) {
      groups.add(new Group(List.copyOf(limits), usageFile.get(), statFile.get(), inactiveKey));
    } else {
      limits.forEach(StatusFile::close);
      usageFile.ifPresent(StatusFile::close);
      statFile.ifPresent(StatusFile::close);
    }
  }

  /** Whether anything is known here. */
  public boolean known() {
    return !meminfo.isEmpty() || !groups.isEmpty();
  }

  /** Bytes available now; {@link Long#MAX_VALUE} if nothing limits them or nothing is known. */
  public long availableBytes() {
    long available = Long.MAX_VALUE;
    for (StatusFile file : meminfo) {
      try {
        long kibibytes = file.number("MemAvailable:");
        available = kibibytes < 0 ? available : kibibytes * 1024;
      } catch (IOException e) {
        // it tells nothing
      }
    }
    for (Group group : groups) {
      try {
        available = Math.min(available, group.available());
      } catch (IOException e) {
        // the group has gone, and its limit with it
      }
    }
    return available;
  }

  @Override
  public void close() {
    meminfo.forEach(StatusFile::close);
    groups.forEach(Group::close);
  }
}
