package dev.quern.converter.shadow;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class LayerRowsTest {

  private static LayerRows rows(int... experts) {
    LayerRows rows = new LayerRows(2, 1, 3, 4, 1);
    for (int i = 0; i < experts.length; i++) {
      float[] input = {i, 0.5f, -i};
      rows.add(10 + i, i != 2, input, 0, new int[][] {{experts[i]}, {3 - experts[i]}}, 0);
    }
    return rows;
  }

  @Test
  void rowsComeBackAsTheyWereAdded() {
    int count = 10_000; // several blocks
    LayerRows rows = new LayerRows(0, 1, 2, 4, 1);
    for (int i = 0; i < count; i++) {
      rows.add(i, true, new float[] {7, i % 100, -1}, 1, new int[][] {{i % 4}, {(i + 1) % 4}}, 0);
    }
    assertEquals(count, rows.rows());
    float[] out = new float[3];
    for (int i = 0; i < count; i += 37) {
      rows.input(i, out, 1);
      assertArrayEquals(new float[] {0, i % 100, -1}, out);
      assertEquals(i, rows.token(i));
      assertEquals((i + 1) % 4, rows.experts(1)[i]);
    }
  }

  @Test
  void aheadTheTargetIsTheExpertsOfThatLayer() {
    float[] y = new float[4];
    rows(0, 1, 2).target(1, 1, y, 0);
    assertArrayEquals(new float[] {0, 0, 1, 0}, y);
  }

  @Test
  void aUseCountsLessTheLaterItIs() {
    LayerRows rows = rows(0, 1, 1, 0, 2);
    float[] y = new float[4];
    rows.target(0, 0, y, 0); // 1 comes next, 0 after three, 2 after four, 3 never
    assertArrayEquals(new float[] {0.8f * 0.8f, 1, 0.8f * 0.8f * 0.8f, 0}, y, 1e-6f);
    rows.target(4, 0, y, 0); // nothing follows
    assertArrayEquals(new float[4], y);
  }

  @Test
  void aUseBeyondTheHorizonDoesNotCount() {
    int[] experts = new int[200];
    experts[0] = 1;
    experts[150] = 1;
    LayerRows rows = rows(experts);
    float[] y = new float[4];
    rows.target(100, 0, y, 0);
    assertEquals(Math.pow(0.8, 49), y[1], 1e-6);
    rows.target(20, 0, y, 0);
    assertEquals(0, y[1]);
  }

  @Test
  void aNextTokenHeadIsNotScoredAcrossTheEndOfAText() {
    LayerRows rows = rows(0, 1, 2, 3);
    assertTrue(rows.scored(0, 0));
    assertFalse(rows.scored(1, 0)); // row 2 begins a text
    assertTrue(rows.scored(1, 1));
    assertFalse(rows.scored(3, 0)); // the last
    assertEquals(1, rows.scoredRow(0, 0));
    assertEquals(0, rows.scoredRow(0, 1));
  }

  @Test
  void recallCountsHitsAmongTheBest() {
    Recall recall = new Recall(2);
    float[] p = {9, 0.1f, 0.9f, 0.5f, 0.5f, 0.2f};
    recall.add(p, 1, 5, new short[] {1, 3, 0}, 0); // best 1, 2 (before 3), then 3, 4
    assertEquals(0.5, recall.atTopK());
    assertEquals(1, recall.atTwiceTopK());
  }
}
