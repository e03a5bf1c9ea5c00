package dev.quern.converter.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.Main;
import dev.quern.converter.SharedSpark;
import dev.quern.converter.TinyMoe;
import dev.quern.converter.traces.Split;
import dev.quern.converter.traces.TraceColumn;
import dev.quern.converter.traces.Traces;
import dev.quern.model.GoldenModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CollectTracesCommandTest {
  @TempDir private Path folder;
  private Path dataset;
  private Path traces;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeEach
  void setUp() throws IOException {
    traces = folder.resolve("traces");
    dataset =
        Files.writeString(
            folder.resolve("text.txt"), "One fox.<|endoftext|>Two foxes.<|endoftext|>");
  }

  private int collect(Path model, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of("collect-traces", "--model", model.toString(), "--out", traces.toString()));
    args.addAll(List.of(more));
    if (!args.contains("--master")) {
      args.addAll(List.of("--master", SharedSpark.MASTER));
    }
    if (!args.contains("--dataset")) {
      args.addAll(List.of("--dataset", dataset.toString()));
    }
    return Main.commandLine()
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .execute(args.toArray(String[]::new));
  }

  private void assertRefused(String message) {
    assertTrue(err.toString().startsWith("error: "), err.toString());
    assertTrue(err.toString().contains(message), err.toString());
    assertFalse(Files.exists(traces));
    assertFalse(Files.exists(folder.resolve("traces.part")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--split 0.5 0.2 0.2 | split: expected three shares of 0 to 1 that sum to 1, found",
        "--split 1.5 -0.5 0 | split: expected three shares",
        "--split-name some | split: expected train, valid or test, found some",
        "--columns input,logits | column: expected input, entered or scores, found 'logits'",
        "--columns experts | --columns: expected some of input, entered, scores",
        "--window 0 | --window: expected at least 1, found 0",
        "--window 513 | --window: expected at most 512, the model's context, found 513",
        "--max-tokens 0 | --max-tokens: expected at least 1, found 0",
        "--master moon | --master: expected local[2]",
      })
  void wrongUsageIsRefusedInOneLine(String options, String message) {
    assertEquals(2, collect(TinyMoe.MODEL, options.split(" ")));
    assertRefused(message);
  }

  @Test
  void wrongInputIsRefusedInOneLine() throws IOException {
    assertEquals(1, collect(TinyMoe.MODEL, "--dataset", folder.resolve("none").toString()));
    assertRefused("none: no such file or folder. Check --dataset");
    err.getBuffer().setLength(0);
    Files.write(dataset, new byte[] {'a', (byte) 0xC3, 'b'});
    assertEquals(1, collect(TinyMoe.MODEL));
    assertRefused("text.txt: not UTF-8");
    err.getBuffer().setLength(0);
    Files.writeString(dataset, " \n<|endoftext|>\n");
    assertEquals(1, collect(TinyMoe.MODEL));
    assertRefused("text.txt: no text. Check --dataset");
    err.getBuffer().setLength(0);
    Path packed = Files.writeString(folder.resolve("text.txt.gz"), "not packed");
    assertEquals(1, collect(TinyMoe.MODEL, "--dataset", packed.toString()));
    assertRefused("text.txt.gz: not readable: Not in GZIP format");
    err.getBuffer().setLength(0);
    assertEquals(1, collect(GoldenModel.folder("llama")));
    assertRefused("llama has no experts, so nothing is routed");
  }

  @Test
  void dryRunStatesTheSizeAndWritesNothing() {
    assertEquals(0, collect(TinyMoe.MODEL, "--dry-run", "--columns", "none"), err.toString());
    String text = out.toString();
    assertTrue(text.contains("of 2 documents in the dataset x 6 layers = "), text);
    assertTrue(text.contains("MB of disk are free"), text);
    assertFalse(Files.exists(traces));
    assertFalse(Files.exists(folder.resolve("traces.part")));
  }

  @Test
  void columnsAreLeftOutAndAFullFolderIsLeftAlone() throws IOException {
    SharedSpark.start();
    String[] options = {"--split-name", "valid", "--columns", "scores"};
    assertEquals(0, collect(TinyMoe.MODEL, options), err.toString());
    assertTrue(out.toString().contains("traces: complete"), out.toString());
    Traces made = Traces.open(traces);
    assertTrue(made.shape().columns().contains(TraceColumn.SCORES));
    assertFalse(made.shape().columns().contains(TraceColumn.INPUT));
    assertTrue(made.tokens(Split.VALID) > 0);
    assertEquals(0, made.tokens(Split.TRAIN));
    assertEquals(1, collect(TinyMoe.MODEL, options));
    assertTrue(err.toString().contains("traces: not empty. Choose another --out"), err.toString());
  }
}
