package dev.quern.converter.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.Main;
import dev.quern.converter.SharedSpark;
import dev.quern.converter.TinyMoe;
import dev.quern.format.gguf.GgufTestWriter;
import dev.quern.format.gguf.GgufType;
import dev.quern.format.gguf.RandomGguf;
import dev.quern.model.GoldenModel;
import dev.quern.model.RewrittenFolder;
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
import org.junit.jupiter.params.provider.ValueSource;

class ConvertCommandTest {
  @TempDir private Path folder;
  private Path pack;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeEach
  void setUp() {
    pack = folder.resolve("pack");
  }

  private int convert(Path model, String... more) {
    List<String> args =
        new ArrayList<>(List.of("convert", "--model", model.toString(), "--out", pack.toString()));
    args.addAll(List.of(more));
    return Main.commandLine()
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .execute(args.toArray(String[]::new));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--bits 5 | --bits: 5 bits; expected 2, 3, 4, 8 or 16",
        "--bits three | Invalid value for option '--bits'",
        "--bits 3 --attention-bits 7 | --attention-bits: 7 bits",
        "--bits 3 --override expert.down=4 | unknown role 'expert.down'; nearest is 'experts.down'",
        "--bits 3 --override router=4 | role 'router' always keeps the source's precision",
        "--bits 3 --override experts.down | expected ROLE=BITS",
        "--bits 3 --group-size 64 | --group-size is for f16 scales",
        "--bits 3 --scales f16 --group-size 48 | --group-size 48: expected 32, 64 or 128",
        "--bits 3 --scales f8 | --scales f8: expected u4 or f16",
        "--bits 3 --method affine --scales u4 | --scales u4 is for --method turbo",
        "--bits 3 --method turbot | unknown method 'turbot'",
        "--bits 3 --rotation fourier | --rotation fourier: expected hadamard or none",
        "--bits 3 --method affine --qjl | --qjl needs --method turbo",
      })
  void wrongUsageIsRefusedInOneLine(String options, String message) {
    assertEquals(2, convert(TinyMoe.MODEL, options.split(" ")));
    assertTrue(err.toString().startsWith("error: "), err.toString());
    assertTrue(err.toString().contains(message), err.toString());
    assertFalse(Files.exists(pack));
  }

  @Test
  void missingModelIsOneLine() {
    assertEquals(1, convert(folder.resolve("nowhere"), "--bits", "3"));
    assertTrue(err.toString().contains("nowhere: no such file or folder"), err.toString());
    assertFalse(Files.exists(pack));
  }

  /** Spark on a cluster is its own: no other resource manager is on the class path. */
  @ParameterizedTest
  @ValueSource(strings = {"lokal", "local[0]", "yarn", "k8s://https://host:443"})
  void unknownMasterIsOneLineAndWritesNothing(String master) {
    assertEquals(1, convert(TinyMoe.MODEL, "--bits", "3", "--master", master));
    assertTrue(err.toString().contains("found " + master), err.toString());
    assertEquals(1, err.toString().lines().count(), err.toString());
    assertFalse(Files.exists(pack));
  }

  @Test
  void dryRunPrintsThePlanAndWritesNothing() {
    assertEquals(0, convert(TinyMoe.MODEL, "--bits", "3", "--dry-run"));
    String text = out.toString();
    assertTrue(text.contains("experts.down"), text);
    assertTrue(text.contains("3 bits lloyd_u4, rotated"), text);
    assertTrue(text.contains("routed experts 3.264"), text);
    assertTrue(text.contains("peak memory about"), text);
    assertTrue(text.contains("would be written"), text);
    assertFalse(Files.exists(pack));
  }

  @Test
  void planSaysWhatIsLeftAside() throws IOException {
    RewrittenFolder model = RewrittenFolder.of(GoldenModel.folder("qwen3_next"));
    RewrittenFolder.Tensor any = model.tensors().get("model.norm.weight");
    model.tensors().put("mtp.fc.weight", any);
    model.tensors().put("model.visual.patch_embed.proj.weight", any);
    Path path = model.write(folder.resolve("model"));
    assertEquals(0, convert(path, "--bits", "3", "--dry-run"), err.toString());
    String text = out.toString();
    assertTrue(text.contains("left aside: 1 tensors of multi-token prediction"), text);
    assertTrue(text.contains("such as mtp.fc.weight"), text);
    assertTrue(text.contains("left aside: 1 tensors of vision and audio"), text);
  }

  /** Before anything is written, and not after hours of work. */
  @Test
  void ggufWithATokenizerThatIsNotReadIsRefusedAtOnce() throws IOException {
    GgufTestWriter writer =
        new RandomGguf(64, 2, 32, 2, 64, 40, GgufType.BF16)
            .writer()
            .text("tokenizer.ggml.model", "t5");
    Path model = Files.write(folder.resolve("model.gguf"), writer.toBytes());
    assertEquals(1, convert(model, "--bits", "3"));
    assertTrue(err.toString().contains("key 'tokenizer.ggml.model'"), err.toString());
    assertEquals(1, err.toString().lines().count(), err.toString());
    assertFalse(Files.exists(pack));
  }

  @Test
  void ggufWithoutATokenizerIsPlanned() throws IOException {
    RandomGguf random = new RandomGguf(256, 8, 32, 2, 256, 40, GgufType.Q4_K);
    Path model = Files.write(folder.resolve("model.gguf"), random.writer().toBytes());
    assertEquals(0, convert(model, "--bits", "3", "--dry-run"), err.toString());
    assertTrue(out.toString().contains("experts.down"), out.toString());
  }

  @Test
  void bitsOfExpertsThatADenseModelDoesNotHaveAreRefused() throws IOException {
    Path model = GoldenModel.folder("llama");
    assertEquals(1, convert(model, "--bits", "3"));
    assertTrue(err.toString().contains("llama has no experts"), err.toString());
    assertTrue(err.toString().contains("--shared-expert-bits 3"), err.toString());
    assertEquals(1, err.toString().lines().count(), err.toString());
    assertFalse(Files.exists(pack));
    assertEquals(0, convert(model, "--bits", "3", "--shared-expert-bits", "3", "--dry-run"));
  }

  @Test
  void convertsThenSaysThatNothingIsLeftToDo() {
    SharedSpark.start();
    assertEquals(0, convert(TinyMoe.MODEL, "--bits", "2", "--master", SharedSpark.MASTER));
    assertTrue(out.toString().contains("complete"), out.toString());
    assertTrue(out.toString().contains("relative MSE experts.gate"), out.toString());
    assertTrue(err.toString().contains("100 %"), err.toString());
    assertEquals(0, convert(TinyMoe.MODEL, "--bits", "2"));
    assertTrue(out.toString().contains("was complete already"), out.toString());
    assertEquals(1, convert(TinyMoe.MODEL, "--bits", "3"));
    assertTrue(err.toString().contains("--bits (2 there, 3 now)"), err.toString());
  }
}
