package dev.quern.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PromptTextTest {
  /** Two letters in a row are one token, as merges join them; everything else is its own. */
  private static int[] joined(String text) {
    List<Integer> ids = new ArrayList<>();
    for (int i = 0; i < text.length(); i++) {
      boolean pair =
          i + 1 < text.length()
              && Character.isLetter(text.charAt(i))
              && Character.isLetter(text.charAt(i + 1));
      ids.add(pair ? 1000 + text.charAt(i) * 128 + text.charAt(++i) : text.charAt(i));
    }
    return ids.stream().mapToInt(Integer::intValue).toArray();
  }

  @Test
  void aTextHasExactlyTheTokensWhateverIsJoined() {
    PromptText texts = new PromptText(PromptTextTest::joined, 1);
    for (int tokens : new int[] {1, 2, 33, 512}) {
      assertEquals(tokens, joined(texts.extended("", tokens)).length);
    }
    assertEquals("", texts.extended("", 0));
    assertNotEquals(texts.extended("", 64), texts.extended("", 64));
  }

  @Test
  void whatItBeginsWithKeepsItsTokens() {
    PromptText texts = new PromptText(PromptTextTest::joined, 2);
    String context = "abc"; // whose last letter another would join
    int[] before = joined(context);
    for (int i = 0; i < 100; i++) {
      int[] ids = joined(texts.extended(context, 5));
      assertEquals(before.length + 5, ids.length);
      assertEquals(before[1], ids[1]);
    }
  }

  @Test
  void aVocabularyThatJoinsEverythingIsRefused() {
    PromptText texts = new PromptText(text -> new int[Math.min(1, text.length())], 3);
    IllegalStateException e =
        assertThrows(IllegalStateException.class, () -> texts.extended("", 2));
    assertTrue(e.getMessage().contains("exactly 2 tokens"), e.getMessage());
  }
}
