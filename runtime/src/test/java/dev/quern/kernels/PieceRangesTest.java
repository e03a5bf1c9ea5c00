package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PieceRangesTest {

  private static int[] take(PieceRanges ranges, int thread, int count) {
    return IntStream.range(0, count).map(i -> ranges.take(thread)).toArray();
  }

  private static void assertTaken(String expected, int[] taken) {
    assertEquals(expected, Arrays.toString(taken));
  }

  /** Its own from the front, as they lie in memory, then others' from the end. */
  @Test
  void whatAThreadTakesIsInOnePlace() {
    PieceRanges ranges = new PieceRanges(2);
    ranges.share(10, 2);

    assertTaken("[0, 1]", take(ranges, 0, 2));
    assertTaken("[5, 6, 7, 8, 9]", take(ranges, 1, 5));
    assertTaken("[4, 3]", take(ranges, 1, 2));
    assertTaken("[2, -1]", take(ranges, 0, 2));
    assertTaken("[-1]", take(ranges, 1, 1));
  }

  @Test
  void theOneWithMostLeftLosesItsLast() {
    PieceRanges ranges = new PieceRanges(3);
    ranges.share(9, 3);
    take(ranges, 0, 2);
    take(ranges, 1, 1);

    assertTaken("[6, 7, 8, 5]", take(ranges, 2, 4));
  }

  @Test
  void fewerPiecesThanThreadsAreAllTaken() {
    PieceRanges ranges = new PieceRanges(4);
    ranges.share(1, 4);

    assertTaken("[0, -1]", take(ranges, 2, 2));
  }

  @Test
  void oneThreadMayHaveThemAll() {
    PieceRanges ranges = new PieceRanges(3);
    ranges.share(3, 1);

    assertTaken("[0, 1, 2, -1]", take(ranges, 0, 4));
  }

  @Test
  void nothingIsLeftAfterClearing() {
    PieceRanges ranges = new PieceRanges(2);
    ranges.share(Integer.MAX_VALUE, 2);
    assertTaken("[0, 1]", take(ranges, 0, 2));

    ranges.clear();

    assertTaken("[-1]", take(ranges, 0, 1));
    assertTaken("[-1]", take(ranges, 1, 1));
  }
}
