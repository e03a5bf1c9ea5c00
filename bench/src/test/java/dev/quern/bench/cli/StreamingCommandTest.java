package dev.quern.bench.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.Main;
import dev.quern.format.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class StreamingCommandTest {
  private static final String MODEL = "../datasets/tiny-moe/model";
  private static final String TEXT = "../datasets/tiny-moe/text/valid.txt";
  private static final long MAX_BYTES = 1 << 20;

  @TempDir private Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    return Main.commandLine()
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(arguments);
  }

  private int streaming(String... more) {
    List<String> all = new ArrayList<>(List.of("bench", "streaming"));
    all.addAll(List.of("--model", folder.resolve("pack").toString(), "--dataset", TEXT));
    all.addAll(List.of("--out", folder.resolve("report").toString(), "--threads", "1"));
    all.addAll(List.of(more));
    return run(all.toArray(String[]::new));
  }

  @Test
  void everyWayIsMeasuredOnAPack() throws IOException {
    String pack = folder.resolve("pack").toString();
    assertEquals(0, run("convert", "--model", MODEL, "--bits", "3", "--out", pack), err.toString());

    assertRefused("--tokens: expected at least 16, found 15", "--tokens", "15");
    assertRefused(
        "--prompt: expected at most 512, the model's context, found 513", "--prompt", "513");

    String[] small = {
      "--share", "50", "--tokens", "16", "--warm-up", "16", "--chunk", "64", "--skip", "memory"
    };
    assertEquals(0, streaming(small), err.toString());
    JsonNode record = Json.read(folder.resolve("report").resolve("streaming.json"), MAX_BYTES);
    double bandwidth = record.at("/machine/readBytesPerSecond").asDouble();
    assertTrue(bandwidth > 1e8, "bytes per second, not gigabytes: " + bandwidth);
    Map<String, JsonNode> ways = new HashMap<>();
    record.path("decoding").forEach(way -> ways.put(way.path("way").asString(), way));
    assertEquals(0, ways.get("naive").path("hitRate").asDouble(), record.toPrettyString());
    assertTrue(ways.get("forward").path("hitRate").asDouble() > 0.3, record.toPrettyString());
  }

  private void assertRefused(String message, String... options) {
    err.getBuffer().setLength(0);
    assertEquals(1, streaming(options), err.toString());
    assertEquals("error: " + message, err.toString().strip());
    assertFalse(Files.exists(folder.resolve("report")));
  }
}
