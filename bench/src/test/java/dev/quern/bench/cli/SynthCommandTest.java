package dev.quern.bench.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.quern.cli.Main;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SynthCommandTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--like qwen3-30b-a3b --type q8_0 | --type: expected with --format gguf",
        "--like qwen3-30b-a3b --format folder --type f16 | --type: expected with --format gguf",
        "--like qwen3-30b-a3b --hidden 256 | --hidden: expected with --widen, found with --like",
        "--like qwen3-30b-a3b --heads 4 | --heads: expected with --widen, found with --like",
        "--like mixtral-8x7b --format gguf --context 9 | --context: expected with --widen, found with --like",
        "--widen-shadow P --expert-size 9 | --expert-size: expected with --widen, found with --widen-shadow",
        "--widen M --layers 2 | --layers: expected with --like, found with --widen",
        "--widen M --experts 2 | --experts: expected with --like, found with --widen",
        "--widen M --vocab 512 | --vocab: expected with --like, found with --widen",
        "--widen M --seed 1 | --seed: expected with --like, found with --widen",
        "--widen M --format gguf | --format: expected with --like, found with --widen",
        "--widen-shadow P --type f16 | --type: expected with --like, found with --widen-shadow",
      })
  void whatWouldDoNothingIsWrongUsage(String options, String expected) {
    StringWriter err = new StringWriter();
    Path out = folder.resolve("model");
    int code =
        Main.commandLine()
            .setErr(new PrintWriter(err))
            .execute("synth %s --out %s".formatted(options, out).split(" "));
    assertEquals(2, code, err.toString());
    assertEquals("error: " + expected, err.toString().lines().findFirst().orElseThrow());
    assertFalse(Files.exists(out));
  }
}
