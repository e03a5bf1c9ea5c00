package dev.quern.bench.jmh;

import dev.quern.bench.report.Machine;
import dev.quern.format.Json;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatFactory;
import org.openjdk.jmh.results.format.ResultFormatType;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** JMH's records of kernels, each with everything needed to repeat it. */
public final class KernelRecords {
  private KernelRecords() {}

  /**
   * Where and by what records were made.
   *
   * @param machine with the flags that JMH's JVMs inherit
   * @param vectorBits of the widest vectors that this JVM uses
   */
  public record Origin(Machine machine, int vectorBits, String commit, String command) {}

  /**
   * JMH's list, to each of whose entries the origin and, of products, bits per weight are added.
   */
  public static String json(Collection<RunResult> results, Origin origin) {
    JsonMapper mapper = Json.mapper();
    List<RunResult> ordered = new ArrayList<>(results);
    JsonNode list = mapper.readTree(jmhJson(ordered));
    for (int i = 0; i < ordered.size(); i++) {
      ObjectNode entry = (ObjectNode) list.get(i);
      KernelTable.bitsPerWeight(ordered.get(i).getParams())
          .ifPresent(bits -> entry.put("bitsPerWeight", bits));
      entry.setAll((ObjectNode) mapper.valueToTree(origin));
    }
    return Json.pretty(list);
  }

  private static String jmhJson(List<RunResult> results) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (PrintStream out = new PrintStream(bytes, false, StandardCharsets.UTF_8)) {
      ResultFormatFactory.getInstance(ResultFormatType.JSON, out).writeOut(results);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
