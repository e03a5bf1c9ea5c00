package dev.quern.converter.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.Main;
import dev.quern.converter.Converter;
import dev.quern.converter.SharedSpark;
import dev.quern.converter.TinyMoe;
import dev.quern.converter.work.ProgressListener;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code quern generate --memory} on a pack of tiny-moe. */
class StreamedGenerateCommandTest {
  @TempDir private static Path shared;
  private static Path pack;

  private record Run(int exitCode, String out, String err) {}

  @BeforeAll
  static void convert() throws IOException {
    SharedSpark.start();
    pack = shared.resolve("pack");
    Converter.convert(TinyMoe.to(pack, TinyMoe.THREE_BITS), ProgressListener.SILENT);
  }

  private static Run generate(Path model, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of("generate", "--model", model.toString(), "--prompt", "The wolf said"));
    args.addAll(List.of("--max-tokens", "12", "--threads", "1"));
    args.addAll(List.of(more));
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int exitCode =
        Main.commandLine()
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute(args.toArray(String[]::new));
    return new Run(exitCode, out.toString(), err.toString());
  }

  /** Half of the experts, which take 5 MB; 195 MB go to everything else. */
  private static final String SOME = "198m";

  @Test
  void theTextIsThatOfAModelInMemory() {
    Run resident = generate(pack);
    Run streamed = generate(pack, "--memory", SOME, "--cache", "lcp", "--speculate");
    assertEquals(0, streamed.exitCode(), streamed.err());
    assertEquals(resident.out(), streamed.out());
    assertTrue(streamed.err().startsWith("memory: "), streamed.err());
    assertTrue(streamed.err().contains("experts: "), streamed.err());
  }

  @Test
  void aProfileFillsTheCacheBeforeTheFirstToken() {
    Path profile = shared.resolve("profile.json");
    assertEquals(0, generate(pack, "--profile", "save=" + profile).exitCode());
    assertTrue(Files.exists(profile));
    Run loaded =
        generate(pack, "--memory", "400m", "--profile", "load=" + profile, "--prefetch", "none");
    assertEquals(0, loaded.exitCode(), loaded.err());
    assertTrue(loaded.err().contains("100.0 % in memory; 0 read"), loaded.err());
  }

  @Test
  void whatCannotFitIsRefusedWithTheNumbers() {
    Run run = generate(pack, "--memory", "100m");
    assertEquals(1, run.exitCode());
    assertTrue(
        run.err().matches("error: memory: expected at least \\d+ MB, found 100 MB: .*\\R"),
        run.err());
  }

  @Test
  void onlyPacksAreStreamed() {
    Run run = generate(TinyMoe.MODEL, "--memory", "6g");
    assertEquals(1, run.exitCode());
    assertTrue(run.err().contains("packs with experts only"), run.err());
  }

  @Test
  void moreExpertsThanTheModelUsesAreRefused() {
    Run run = generate(pack, "--experts-per-token", "5");
    assertEquals(1, run.exitCode());
    assertTrue(run.err().contains("expected at most 4, the model's, found 5"), run.err());
  }

  @Test
  void lossyOptionsSayWhatTheyLeftOut() {
    Run run = generate(pack, "--fast");
    assertEquals(0, run.exitCode());
    assertTrue(run.err().matches("(?s).*lossy: ([\\d,]+) of [\\d,]+ chosen experts.*"), run.err());
  }

  @Test
  void staticNeedsAProfile() {
    Run run = generate(pack, "--memory", SOME, "--cache", "static");
    assertEquals(1, run.exitCode());
    assertEquals(1, run.err().lines().count(), run.err());
  }
}
