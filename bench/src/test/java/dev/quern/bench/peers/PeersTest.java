package dev.quern.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.speed.SpeedTest;
import dev.quern.bench.synth.SyntheticModel;
import dev.quern.bench.synth.SyntheticShape;
import dev.quern.format.FormatException;
import dev.quern.format.gguf.GgufType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** With shell scripts in place of peers. */
@DisabledOnOs(OS.WINDOWS)
class PeersTest {
  private static final SyntheticShape SMALL =
      new SyntheticShape("small", 256, 2, 4, 2, 64, 8, 2, 96, 300);
  private static final Duration LIMIT = Duration.ofSeconds(60);

  /** Answers as llama-bench does; its speed is 100 plus what it was asked for. */
  private static final String LLAMA_BENCH =
      """
      #!/bin/sh
      while [ $# -gt 0 ]; do
        case $1 in
          -p) p=$2 ;;
          -n) n=$2 ;;
          -t) t=$2 ;;
          -d) d=$2 ;;
          -m) [ -f "$2" ] || { echo "no model" >&2; exit 1; } ;;
        esac
        shift 2
      done
      cat <<JSON
      [
        {
          "build_commit": "abc",
          "n_prompt": $p,
          "n_gen": $n,
          "n_depth": ${d:-0},
          "n_threads": $t,
          "samples_ts": [ 1.0, $((100 + p + n)) ]
        }
      ]
      JSON
      """;

  @TempDir Path folder;

  private Path script(String name, String text) throws IOException {
    Path file = Files.writeString(folder.resolve(name), text);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
    return file;
  }

  private PeerModel model(GgufType type) throws IOException {
    Path file = folder.resolve("model.gguf");
    new SyntheticModel(SMALL, 5).gguf(type).write(file, written -> {});
    return PeerModel.read(file, "small", true);
  }

  @Test
  void bitsPerWeightAreThoseOfTheTensors() throws IOException {
    PeerModel model = model(GgufType.Q8_0);
    assertEquals("Q8_0", model.quantization());
    // Routers and norms, 0.4 % of the weights, are F32.
    assertEquals(8.6, model.bitsPerWeight(), 0.1);
    long expert = 3 * 96 * 256;
    long attention = (4 + 2 + 2 + 4) * 64 * 256;
    long touched = 2 * (2 * expert + attention) + 300 * 256 + 256; // head, a row of the embedding
    double bits = 8.0 * model.touchedBytes() / touched;
    assertTrue(bits > 8.5 && bits < 8.8, bits + " bits");
  }

  @Test
  void theLastRepetitionOfEachProcessCounts() throws IOException {
    Path program = script("bench", LLAMA_BENCH);
    try (LlamaBench peer =
        LlamaBench.open(PeerProgram.llamaBench("peer", program), model(GgufType.F16), 2, LIMIT)) {
      assertEquals("abc", peer.subject().version());
      assertEquals(2, peer.subject().threads());
      assertEquals(612, peer.repetition(new SpeedTest(SpeedTest.Kind.PREFILL, 512, 0)));
      assertEquals(164, peer.repetition(new SpeedTest(SpeedTest.Kind.DECODE, 64, 1024)));
    }
  }

  @Test
  void aResultOfAnotherTestIsRefused() throws IOException {
    Path program = script("bench", LLAMA_BENCH.replace("\"n_threads\": $t", "\"n_threads\": 7"));
    PeerModel model = model(GgufType.F16);
    FormatException e =
        assertThrows(
            FormatException.class,
            () -> LlamaBench.open(PeerProgram.llamaBench("peer", program), model, 2, LIMIT));
    assertTrue(
        e.getMessage().startsWith("peer: expected a result of pp8 with 2 threads, found"),
        e.getMessage());
  }

  @Test
  void aFailureIsOneLineWithTheEndOfWhatWasSaid() throws IOException {
    Path program =
        script("fails", "#!/bin/sh\necho noise\necho 'loading' >&2\necho 'no AVX' >&2\nexit 3\n");
    FormatException e =
        assertThrows(
            FormatException.class,
            () -> new PeerProcess("peer", LIMIT).run(List.of(program.toString())));
    assertEquals("peer: fails ended with status 3: loading | no AVX", e.getMessage());
  }

  @Test
  void whatDoesNotEndIsEnded() throws IOException {
    Path pid = folder.resolve("pid");
    Path program = script("sleeps", "#!/bin/sh\necho $$ > '%s'\nexec sleep 600\n".formatted(pid));
    FormatException e =
        assertThrows(
            FormatException.class,
            () -> new PeerProcess("peer", Duration.ofSeconds(1)).run(List.of(program.toString())));
    assertTrue(e.getMessage().startsWith("peer: sleeps has not ended after 1 s."), e.getMessage());
    long id = Long.parseLong(Files.readString(pid).strip());
    ProcessHandle.of(id).ifPresent(process -> process.onExit().join());
    assertFalse(ProcessHandle.of(id).map(ProcessHandle::isAlive).orElse(false));
  }

  @Test
  void whatIsNotThereIsNamed() {
    FormatException e =
        assertThrows(
            FormatException.class,
            () -> new PeerProcess("peer", LIMIT).run(List.of("/nowhere/llama-bench")));
    assertTrue(
        e.getMessage().startsWith("peer: cannot be started: ")
            && e.getMessage().contains("/nowhere/llama-bench"),
        e.getMessage());
  }
}
