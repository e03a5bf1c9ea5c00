package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExpertSelectionTest {
  private final int[] experts = {9, 7, 5, 3, 1};
  private final float[] weights = {9, 0.25f, 0.5f, 0.125f, 0.125f};

  /** Four experts from index 1 on; with a selection bias the first need not be the heaviest. */
  private int apply(ExpertSelection selection, boolean normalise) {
    return selection.apply(experts, weights, 1, 4, normalise);
  }

  @Test
  void allLeavesEverything() {
    assertEquals(0, apply(ExpertSelection.ALL, true));
    assertArrayEquals(new int[] {9, 7, 5, 3, 1}, experts);
    assertArrayEquals(new float[] {9, 0.25f, 0.5f, 0.125f, 0.125f}, weights);
  }

  @Test
  void perTokenKeepsTheHeaviestAndWeighsThemUp() {
    assertEquals(2, apply(new ExpertSelection(2, false, 0, false), true));
    assertArrayEquals(new int[] {9, 7, 5, -1, -1}, experts);
    assertArrayEquals(new float[] {9, 1 / 3f, 2 / 3f, 0, 0}, weights);
  }

  @Test
  void ofEqualWeightsTheFirstStays() {
    assertEquals(1, apply(new ExpertSelection(3, false, 0, false), false));
    assertArrayEquals(new int[] {9, 7, 5, 3, -1}, experts);
    assertArrayEquals(new float[] {9, 0.25f, 0.5f, 0.125f, 0}, weights);
  }

  @Test
  void adaptiveDropsWhatIsFarBelowTheHighest() {
    assertEquals(2, apply(new ExpertSelection(0, false, 3, false), true));
    assertArrayEquals(new int[] {9, 7, 5, -1, -1}, experts);
    assertArrayEquals(new float[] {9, 1 / 3f, 2 / 3f, 0, 0}, weights);
  }

  @Test
  void halfRoundsDownToAtLeastOne() {
    ExpertSelection half = new ExpertSelection(0, true, 0, false);
    assertEquals(2, apply(half, true));
    assertEquals(4, half.limit(9));
    assertEquals(1, half.limit(1));
  }

  @Test
  void moreThanTheModelUsesIsRefused() {
    ExpertSelection five = new ExpertSelection(5, false, 0, false);
    assertThrows(IllegalArgumentException.class, () -> five.limit(4));
  }

  @Test
  void theSumStaysWhatItWas() {
    float[] scaled = {2, 1, 0.5f, 0.5f}; // a family with a routing scale of 4
    new ExpertSelection(1, false, 0, false).apply(new int[] {1, 2, 3, 4}, scaled, 0, 4, true);
    assertArrayEquals(new float[] {4, 0, 0, 0}, scaled);
  }

  @ParameterizedTest
  @CsvSource({"-1, 0", "0, 1", "0, 0.5", "0, NaN", "0, Infinity"})
  void nonsenseIsRefused(int perToken, double adaptive) {
    assertThrows(
        IllegalArgumentException.class,
        () -> new ExpertSelection(perToken, false, adaptive, false));
  }
}
