package dev.quern.bench.jmh;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.quern.bench.report.Machine;
import dev.quern.format.Json;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class KernelRecordsTest {
  private static final Machine MACHINE =
      new Machine("a cpu", 2, 1, 24L << 30, 0, "an os", "a jvm", List.of("-XX:+UseSerialGC"));

  @Test
  void everyRecordCanBeRepeated() {
    String json =
        KernelRecords.json(
            List.of(
                KernelResults.of("gemv", Map.of("operands", "16", "shape", "100x100"), 5),
                KernelResults.of("softmax", Map.of("length", "768"), 7)),
            new KernelRecords.Origin(MACHINE, 512, "abc", "./quern bench kernels"));
    JsonNode records = Json.mapper().readTree(json);
    assertEquals(2, records.size());
    for (JsonNode record : records) {
      assertEquals("a cpu", record.at("/machine/cpu").asString());
      assertEquals(24L << 30, record.at("/machine/memoryBytes").asLong());
      assertEquals("a jvm", record.at("/machine/jvm").asString());
      assertEquals("-XX:+UseSerialGC", record.at("/machine/jvmFlags/0").asString());
      assertEquals(512, record.get("vectorBits").asInt());
      assertEquals("abc", record.get("commit").asString());
      assertEquals("./quern bench kernels", record.get("command").asString());
    }
    JsonNode gemv = records.get(0);
    assertEquals("16", gemv.at("/params/operands").asString());
    assertEquals(5, gemv.at("/primaryMetric/rawData/0/0").asDouble());
    assertEquals(16, gemv.get("bitsPerWeight").asDouble());
    assertEquals(7, records.get(1).at("/primaryMetric/score").asDouble());
    assertFalse(records.get(1).has("bitsPerWeight"), "it multiplies no weights");
  }
}
