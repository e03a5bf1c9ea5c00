package dev.quern.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.synth.PublishedModel;
import dev.quern.format.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** With shell scripts in place of a llama-quantize, on the smallest shape: a dense layer. */
@DisabledOnOs(OS.WINDOWS)
class PeerFilesTest {
  private static final PublishedModel MODEL = PublishedModel.DEEPSEEK_V2_LITE;
  private static final OptionalInt LAYERS = OptionalInt.of(1);
  private static final OptionalInt VOCABULARY = OptionalInt.of(512);
  private static final String STEM = "deepseek-v2-lite-layers1-vocab512";

  @TempDir private Path folder;

  private final List<String> progress = new ArrayList<>();

  private List<Path> quantized(String script, String... types) throws IOException {
    Path program = Scripts.write(folder, "quantize", script);
    return new PeerFiles(folder.resolve("work"), 0, progress::add)
        .quantized(MODEL, LAYERS, VOCABULARY, program, List.of(types), 3, Duration.ofSeconds(60));
  }

  /** Names of files but locks. */
  private List<String> left() throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve("work"))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> !name.endsWith(".lock"))
          .sorted()
          .toList();
    }
  }

  @Test
  void everyTypeIsMadeOnceOfF16ThatIsDeleted() throws IOException {
    String script =
        "#!/bin/sh\n[ \"$(head -c 4 \"$1\")\" = GGUF ] && echo \"$3 with $4 threads\" > \"$2\"\n";
    List<Path> files = quantized(script, "Q4_0", "Q3_K_M");
    assertEquals("Q4_0 with 3 threads\n", Files.readString(files.get(0)));
    assertEquals("Q3_K_M with 3 threads\n", Files.readString(files.get(1)));
    assertEquals(List.of(STEM + "-Q3_K_M.gguf", STEM + "-Q4_0.gguf"), left());
    assertEquals(3, progress.size(), progress.toString());
    progress.clear();

    assertEquals(files, quantized("#!/bin/sh\nexit 1\n", "Q4_0", "Q3_K_M"));
    assertEquals(List.of(), progress);
  }

  @Test
  void aQuantizerThatFailsIsOneLineAndLeavesNothing() throws IOException {
    FormatException failed =
        assertThrows(
            FormatException.class,
            () -> quantized("#!/bin/sh\necho x > \"$2\"\necho 'no such type' >&2\nexit 1\n", "Q9"));
    assertEquals("quantize: quantize ended with status 1: no such type", failed.getMessage());
    assertEquals(List.of(), left());
  }

  @Test
  void aQuantizerThatWritesNothingIsOneLine() {
    FormatException silent =
        assertThrows(FormatException.class, () -> quantized("#!/bin/sh\nexit 0\n", "Q4_0"));
    assertTrue(silent.getMessage().contains("found no such file"), silent.getMessage());
  }

  @Test
  void typesAreNamesAndNoPaths() {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> quantized("#!/bin/sh\nexit 0\n", "../Q4_0"));
    assertEquals("no quantization: '../Q4_0'", e.getMessage());
    assertFalse(Files.exists(folder.resolve("work")));
  }

  @Test
  void withoutAProgramMatricesHaveQ4() throws IOException {
    PeerFiles files = new PeerFiles(folder.resolve("work"), 0, progress::add);
    Path file = files.plain(MODEL, LAYERS, VOCABULARY);
    assertEquals(List.of(STEM + "-plain-Q4_0.gguf"), left());
    assertEquals("Q4_0", PeerModel.read(file, "one layer", true).quantization());
    assertEquals(1, progress.size(), progress.toString());
    assertEquals(file, files.plain(MODEL, LAYERS, VOCABULARY));
    assertEquals(1, progress.size(), progress.toString());
  }
}
