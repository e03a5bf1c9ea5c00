package dev.quern.converter.traces;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TraceFolderTest {
  private static final TraceManifest MANIFEST =
      new TraceManifest(
          new TraceManifest.Model("m", "f", "qwen3_moe", 2, 100),
          new TraceManifest.Dataset("d", "s", 1),
          new TraceShape(List.of(0, 1), 8, 4, 2, Set.of()),
          "<end>",
          5,
          false,
          new SplitRule.Shares(List.of(1.0, 0.0, 0.0), -3),
          Map.of(Split.TRAIN, new TraceManifest.Count(1, 1, 5, 1)));

  @TempDir private Path parent;

  private Path out() {
    return parent.resolve("traces");
  }

  private Path part() {
    return parent.resolve("traces.part");
  }

  private void assertRefused(String message) {
    FormatException e = assertThrows(FormatException.class, () -> TraceFolder.open(out()).close());
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  @Test
  void appearsWhenItIsComplete() throws IOException {
    Files.createDirectories(out()); // An empty one may be there.
    try (TraceFolder folder = TraceFolder.open(out())) {
      Files.writeString(folder.work().resolve("scratch"), "");
      Files.writeString(folder.path().resolve("data"), "rows");
      assertThrows(FormatException.class, () -> TraceManifest.read(out()));
      assertThrows(FormatException.class, () -> TraceManifest.read(part()));
      folder.finish(MANIFEST);
    }
    assertEquals(MANIFEST, TraceManifest.read(out()));
    assertEquals("rows", Files.readString(out().resolve("data")));
    assertFalse(Files.exists(out().resolve("work")));
    assertFalse(Files.exists(part()));
  }

  @Test
  void failureLeavesNothing() throws IOException {
    try (TraceFolder folder = TraceFolder.open(out())) {
      Files.writeString(folder.path().resolve("data"), "rows");
    }
    assertFalse(Files.exists(out()));
    assertFalse(Files.exists(part()));
  }

  /** As after kill -9: the lock file is there, and nobody holds it. */
  @Test
  void whatAKilledRunLeftIsDeletedByTheNext() throws IOException {
    Files.createDirectories(part().resolve("work"));
    Files.writeString(part().resolve("collecting.lock"), "");
    Files.writeString(part().resolve("data"), "half a file");
    try (TraceFolder folder = TraceFolder.open(out())) {
      assertFalse(Files.exists(folder.path().resolve("data")));
      folder.finish(MANIFEST);
    }
    assertFalse(Files.exists(out().resolve("data")));
  }

  @Test
  void refusesWhatIsNotItsOwn() throws IOException {
    Files.createDirectories(part());
    Files.writeString(part().resolve("thesis.txt"), "");
    assertRefused("traces.part: not of an earlier collect-traces");
    assertTrue(Files.exists(part().resolve("thesis.txt")));

    Files.createDirectories(out());
    Files.writeString(out().resolve("thesis.txt"), "");
    assertRefused("traces: not empty");
    Files.delete(out().resolve("thesis.txt"));
    Files.delete(out());
    Files.writeString(out(), "");
    assertRefused("traces: not a folder");
  }

  @Test
  void twoRunsDoNotMix() throws IOException {
    try (TraceFolder folder = TraceFolder.open(out())) {
      assertRefused("another run is collecting into it");
      folder.finish(MANIFEST);
    }
  }
}
