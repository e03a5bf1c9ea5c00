package dev.quern.bench.speed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

class ThroughputTest {
  @Test
  void theMedianIsTheMiddleOrTheMeanOfTheMiddleTwo() {
    assertEquals(2, Throughput.median(List.of(9.0, 2.0, 1.0)));
    assertEquals(2.5, Throughput.median(List.of(9.0, 3.0, 1.0, 2.0)));
  }

  @Test
  void aShortContextShortensTheMeasurement() {
    assertEquals(new Throughput.Plan(512, 64, 3), Throughput.Plan.within(40960, 3));
    assertEquals(new Throughput.Plan(128, 32, 3), Throughput.Plan.within(128, 3));
    assertThrows(IllegalArgumentException.class, () -> Throughput.Plan.within(128, 0));
  }
}
