package dev.quern.bench.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.Main;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShadowChartsCommandTest {
  private static final String REPORT =
      """
      {"record": "shadow", "model": {"topK": 4, "experts": 32}, "scores": [
        {"predictor": "shadow", "layer": 0, "distance": 1, "recall": 0.9, "reliability": [
          {"count": 10, "predicted": 0.02, "observed": 0.03},
          {"count": 5, "predicted": 0.9, "observed": 0.8}]},
        {"predictor": "shadow", "layer": 0, "distance": 2, "recall": 0.7, "reliability": []},
        {"predictor": "token id", "layer": 0, "distance": 1, "recall": 0.5, "reliability": [
          {"count": 10, "predicted": 0.12, "observed": 0.13}]}]}
      """;

  @TempDir private Path folder;
  private final StringWriter err = new StringWriter();

  private int draw(String report) throws IOException {
    Path file = Files.writeString(folder.resolve("shadow-report.json"), report);
    return Main.commandLine()
        .setOut(new PrintWriter(new StringWriter()))
        .setErr(new PrintWriter(err, true))
        .execute("bench", "shadow", file.toString(), "--out", folder.toString());
  }

  @Test
  void drawsEveryPredictor() throws IOException {
    assertEquals(0, draw(REPORT), err.toString());
    String recall = Files.readString(folder.resolve("shadow-recall.svg"));
    assertTrue(recall.contains("rgb(0,114,178)"), "no first line"); // text is drawn as outlines
    assertTrue(recall.contains("rgb(230,159,0)"), "no second line");
    assertTrue(recall.contains("rgb(85,85,85)"), "no line of chance");
    assertTrue(Files.size(folder.resolve("shadow-recall.png")) > 0);
    String reliability = Files.readString(folder.resolve("shadow-reliability.svg"));
    assertTrue(reliability.contains("rgb(230,159,0)"), "no second line");
  }

  @Test
  void otherRecordsAreRefusedInOneLine() throws IOException {
    assertEquals(1, draw("{\"record\": \"cache\"}"));
    assertTrue(err.toString().contains("'record': value: expected shadow"), err.toString());
    assertEquals(1, err.toString().lines().count());
  }
}
