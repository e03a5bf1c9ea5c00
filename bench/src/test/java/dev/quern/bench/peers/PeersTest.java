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
import java.time.Duration;
import java.util.List;
import java.util.OptionalDouble;
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

  @TempDir Path folder;

  private PeerModel model(GgufType type) throws IOException {
    Path file = folder.resolve("model.gguf");
    new SyntheticModel(SMALL, 5).gguf(type).write(file, written -> {});
    return PeerModel.read(file, "small", true);
  }

  private static LlamaBench open(Path program, PeerModel model) throws IOException {
    PeerProgram peer = PeerProgram.llamaBench("peer", program);
    return LlamaBench.open(peer, model, OptionalDouble.empty(), 2, LIMIT);
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
    Path program = Scripts.llamaBench(folder);
    try (LlamaBench peer = open(program, model(GgufType.F16))) {
      assertEquals("abc", peer.subject().version());
      assertEquals(2, peer.subject().threads());
      assertEquals(612, peer.repetition(new SpeedTest(SpeedTest.Kind.PREFILL, 512, 0)));
      assertEquals(164, peer.repetition(new SpeedTest(SpeedTest.Kind.DECODE, 64, 1024)));
    }
  }

  @Test
  void aResultOfAnotherTestIsRefused() throws IOException {
    Path program =
        Scripts.write(
            folder, "bench", Scripts.LLAMA_BENCH.replace("\"n_threads\": $t", "\"n_threads\": 7"));
    PeerModel model = model(GgufType.F16);
    FormatException e = assertThrows(FormatException.class, () -> open(program, model));
    assertTrue(
        e.getMessage().startsWith("peer: expected a result of pp8 with 2 threads, found"),
        e.getMessage());
  }

  @Test
  void aFailureIsOneLineWithTheEndOfWhatWasSaid() throws IOException {
    Path program =
        Scripts.write(
            folder,
            "fails",
            "#!/bin/sh\necho noise\necho 'loading' >&2\necho 'no AVX' >&2\nexit 3\n");
    FormatException e =
        assertThrows(
            FormatException.class,
            () -> new PeerProcess("peer", LIMIT).run(List.of(program.toString())));
    assertEquals("peer: fails ended with status 3: loading | no AVX", e.getMessage());
  }

  @Test
  void whatDoesNotEndIsEnded() throws IOException {
    Path pid = folder.resolve("pid");
    Path program =
        Scripts.write(
            folder, "sleeps", "#!/bin/sh\necho $$ > '%s'\nexec sleep 600\n".formatted(pid));
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
  void programsAreFilesThatMayRun() throws IOException {
    assertTrue(PeerProgram.canBeStarted(Scripts.llamaBench(folder)));
    assertTrue(PeerProgram.canBeStarted(Path.of("sh")));
    assertFalse(PeerProgram.canBeStarted(Path.of("no-such-llama-bench")));
    assertFalse(PeerProgram.canBeStarted(folder));
    assertFalse(PeerProgram.canBeStarted(Files.writeString(folder.resolve("text"), "")));
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
