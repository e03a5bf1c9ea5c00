package dev.quern.converter.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.Main;
import dev.quern.converter.Converter;
import dev.quern.converter.SharedSpark;
import dev.quern.converter.TinyMoe;
import dev.quern.converter.work.ProgressListener;
import dev.quern.experts.ShadowPredictor;
import dev.quern.format.PackVerifier;
import dev.quern.format.ShadowFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From text to a predictor in a pack, with tiny-moe. */
class TrainShadowCommandTest {
  private static final Path TEXT = Path.of("..", "datasets", "tiny-moe", "text", "test.txt");
  private static final int CHARACTERS = 1500;

  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeEach
  void startSpark() {
    SharedSpark.start();
  }

  private int quern(String... args) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    List<String> all = new ArrayList<>(List.of(args));
    all.addAll(List.of("--master", SharedSpark.MASTER));
    return Main.commandLine()
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .execute(all.toArray(String[]::new));
  }

  private static List<String> problems(Path pack) throws IOException {
    List<String> problems = new ArrayList<>();
    PackVerifier.verify(pack, (record, message) -> problems.add(record + ": " + message));
    return problems;
  }

  @Test
  void trainsScoresAndWritesIntoThePack() throws IOException {
    Path pack = folder.resolve("pack");
    Converter.convert(TinyMoe.to(pack, TinyMoe.THREE_BITS), ProgressListener.SILENT);
    String text = Files.readString(TEXT);
    StringBuilder documents = new StringBuilder();
    for (int i = 0; i < 4; i++) {
      documents.append(text, i * CHARACTERS, (i + 1) * CHARACTERS).append("<|endoftext|>");
    }
    Path dataset = Files.writeString(folder.resolve("text.txt"), documents);
    Path traces = folder.resolve("traces");
    String model = TinyMoe.MODEL.toString();
    String[] collect = {
      "collect-traces",
      "--model",
      model,
      "--dataset",
      dataset.toString(),
      "--out",
      traces.toString(),
      "--split",
      "0.5",
      "0.25",
      "0.25",
      "--seed",
      "3"
    };
    assertEquals(0, quern(collect), err.toString());

    String[] train = {
      "train-shadow",
      "--traces",
      traces.toString(),
      "--out",
      pack.toString(),
      "--epochs",
      "2",
      "--hidden",
      "64",
      "--shape",
      "256,32,4"
    };
    assertEquals(0, quern(train), err.toString());
    assertTrue(out.toString().contains("one layer ahead: recall@4"), out.toString());
    assertTrue(out.toString().contains("next router"), out.toString());
    assertTrue(out.toString().contains("one prediction at hidden size 256, 32 experts"));
    assertTrue(Files.exists(pack.resolve("shadow-report.json")));
    ShadowPredictor predictor = ShadowPredictor.open(pack, 6, 256, 32, 4096);
    assertEquals(4, predictor.maxDistance());
    assertTrue(predictor.predictsNextToken());
    float[] p = new float[32];
    assertTrue(predictor.predict(1, 4, new float[256], 7, p));
    assertFalse(predictor.predict(2, 4, new float[256], 7, p));
    assertEquals(List.of(), problems(pack));

    Path weights = pack.resolve(ShadowFile.FOLDER).resolve(ShadowFile.WEIGHTS_NAME);
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 1] ^= 1;
    Files.write(weights, bytes);
    List<String> problems = problems(pack);
    assertEquals(1, problems.size());
    assertTrue(problems.getFirst().startsWith("shadow: shadow.safetensors, shadow: CRC32C"));

    Path only = Files.createDirectory(folder.resolve("only"));
    String[] baseline = {
      "train-shadow",
      "--traces",
      traces.toString(),
      "--model",
      model,
      "--out",
      only.toString(),
      "--baseline-only"
    };
    assertEquals(0, quern(baseline), err.toString());
    assertTrue(out.toString().contains("next router"), out.toString());
    assertFalse(out.toString().contains("ridge  "), out.toString());
    assertFalse(Files.exists(only.resolve(ShadowFile.FOLDER)));

    // Only tasks read layer 3: what one of them throws must come through Spark as it is.
    damage(traces.resolve("split=train").resolve("layer=00003").resolve("part-00000.parquet"));
    assertEquals(1, quern(train));
    assertEquals(1, err.toString().lines().filter(line -> line.startsWith("error: ")).count());
    assertFalse(err.toString().contains("\tat "), err.toString());
    assertTrue(err.toString().contains("part-00000.parquet"), err.toString());
  }

  private static void damage(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    Arrays.fill(bytes, bytes.length / 4, bytes.length / 2, (byte) 0x55);
    Files.write(file, bytes);
  }

  @Test
  void wrongUseIsRefusedInOneLine() throws IOException {
    Path none = folder.resolve("none");
    String[] missing = {"train-shadow", "--traces", none.toString(), "--out", folder.toString()};
    assertEquals(1, quern(missing));
    assertEquals(1, err.toString().lines().count(), err.toString());
    String[] units = {
      "train-shadow", "--traces", none.toString(), "--out", folder.toString(), "--hidden", "100"
    };
    assertEquals(2, quern(units));
    assertTrue(err.toString().contains("expected a multiple of 64"), err.toString());
    String[] shape = {
      "train-shadow", "--traces", none.toString(), "--out", folder.toString(), "--shape", "a,b"
    };
    assertEquals(2, quern(shape));
    assertTrue(err.toString().contains("--shape: expected hidden,experts,layers"), err.toString());
  }
}
