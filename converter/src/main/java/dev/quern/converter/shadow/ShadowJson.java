package dev.quern.converter.shadow;

import dev.quern.format.AtomicFile;
import dev.quern.format.Json;
import java.io.IOException;
import java.nio.file.Path;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A report as JSON, every number of it; {@code quern bench shadow} draws it. */
public final class ShadowJson {
  /** Usual name of the file. */
  public static final String NAME = "shadow-report.json";

  private ShadowJson() {}

  public static void write(ShadowReport report, Path file) throws IOException {
    AtomicFile.writeText(file, Json.pretty(tree(report)));
  }

  static ObjectNode tree(ShadowReport report) {
    ObjectNode json = Json.mapper().createObjectNode();
    json.put("record", "shadow");
    options(report.options(), json.putObject("options"));
    ObjectNode machine = json.putObject("machine");
    machine.put("processors", Runtime.getRuntime().availableProcessors());
    machine.put("java", System.getProperty("java.vm.version"));
    machine.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    ObjectNode sizes = json.putObject("model");
    sizes.put("layers", report.sizes().numLayers());
    sizes.put("hiddenSize", report.sizes().hiddenSize());
    sizes.put("experts", report.sizes().numExperts());
    sizes.put("topK", report.sizes().topK());
    json.put("trainTokens", report.trainTokens());
    json.put("validTokens", report.validTokens());
    json.put("testTokens", report.testTokens());
    json.put("bytes", report.bytes());
    ArrayNode scores = json.putArray("scores");
    for (Score score : report.scores()) {
      ObjectNode entry = scores.addObject();
      entry.put("predictor", score.predictor());
      entry.put("layer", score.layer());
      entry.put("distance", score.distance());
      entry.put("rows", score.rows());
      entry.put("recall", score.recall());
      entry.put("recallTwice", score.recallTwice());
      entry.put("calibrationError", score.calibrationError());
      ArrayNode bins = entry.putArray("reliability");
      for (Score.Bin bin : score.bins()) {
        bins.addObject()
            .put("count", bin.count())
            .put("predicted", bin.predicted())
            .put("observed", bin.observed());
      }
    }
    ArrayNode chosen = json.putArray("chosen");
    for (ShadowReport.Choice choice : report.chosen()) {
      chosen
          .addObject()
          .put("layer", choice.layer())
          .put("distance", choice.distance())
          .put("kind", choice.refined() ? "two-layer" : "linear")
          .put("linearValidRecall", choice.ridgeRecall())
          .put("twoLayerValidRecall", choice.refinedRecall());
    }
    ArrayNode latencies = json.putArray("latency");
    for (Latency latency : report.latencies()) {
      latencies
          .addObject()
          .put("hiddenSize", latency.hiddenSize())
          .put("experts", latency.numExperts())
          .put("layers", latency.layers())
          .put("width", latency.width())
          .put("bytes", latency.bytes())
          .put("firstMicros", latency.firstMicros())
          .put("furtherMicros", latency.furtherMicros());
    }
    ObjectNode seconds = json.putObject("seconds");
    report.seconds().forEach(seconds::put);
    return json;
  }

  private static void options(ShadowOptions options, ObjectNode json) {
    json.put("traces", String.valueOf(options.traces().getFileName()));
    json.put("maxTokens", options.maxTokens());
    json.put("maxDistance", options.maxDistance());
    json.put("width", options.fit().width());
    json.put("epochs", options.fit().epochs());
    json.put("learningRate", options.fit().learningRate());
    json.put("batchRows", options.fit().batchRows());
    json.put("seed", options.fit().seed());
    json.put("master", options.master());
  }
}
