package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExpertProfileTest {
  @TempDir private Path folder;

  private static ExpertProfile profile() {
    ExpertProfile.Recorder recorder = new ExpertProfile.Recorder(2, 4);
    RoutedTokens routed = new RoutedTokens();
    float[] none = {};
    int[] experts = {3, 1, 3, 2, 0, -1}; // the last was dropped
    routed.set(1, 0, 3, new int[3], 0, none, 0, none, 4, experts, new float[6], 2);
    recorder.routed(routed);
    return recorder.profile();
  }

  @Test
  void countsUses() {
    ExpertProfile profile = profile();
    assertEquals(3, profile.tokens());
    assertEquals(2, profile.uses(1, 3));
    assertEquals(1, profile.uses(1, 0));
    assertEquals(0, profile.uses(0, 3));
    assertArrayEquals(new int[] {7, 4, 5}, profile.hottest(3)); // of equals the lowest key
    assertArrayEquals(new int[] {7, 4, 5, 6}, profile.hottest(100));
  }

  @Test
  void comesBackFromItsFile() throws IOException {
    Path file = folder.resolve("profile.json");
    profile().save(file);
    ExpertProfile back = ExpertProfile.load(file, new CacheShape(2, 4, 1, 1));
    assertEquals(3, back.tokens());
    assertArrayEquals(profile().hottest(8), back.hottest(8));
    Exception e =
        assertThrows(
            FormatException.class, () -> ExpertProfile.load(file, new CacheShape(2, 8, 1, 1)));
    assertEquals(
        "profile.json, the profile: numLayers and numExperts: expected 2 layers of 8, found 2"
            + " layers of 4. The profile was saved with another model.",
        e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "quern-expert-profile | other            | format: expected quern-expert-profile",
        "\"formatVersion\" : 1 | \"formatVersion\" : 2 | formatVersion: expected 1, found 2",
        "\"numLayers\" : 2    | \"numLayers\" : 3    | counts: expected 3 entries, found 2",
        "\"numExperts\" : 4   | \"numExperts\" : 5e8 | numExperts: expected 1 to 100000",
        "\"tokens\" : 3       | \"tokens\" : 1       | layer 1, expert 3: expected 0 to 1, found 2",
        "\"tokens\" : 3       | \"tokens\" : 1e400   | tokens: expected 0 to",
        "0, 0                 | 0, \"x\"             | layer 0, expert 1: expected 0 to 3",
        "{                    | [                    | JSON",
      })
  void refusesADamagedFile(String good, String bad, String message) throws IOException {
    Path file = folder.resolve("profile.json");
    profile().save(file);
    String text = Files.readString(file);
    assertTrue(text.contains(good), text);
    Files.writeString(file, text.replaceFirst(java.util.regex.Pattern.quote(good), bad));
    Exception e = assertThrows(FormatException.class, () -> ExpertProfile.load(file));
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertTrue(e.getMessage().startsWith("profile.json, "), e.getMessage());
  }

  @Test
  void policiesRefuseAnothersProfile() {
    CacheShape shape = new CacheShape(3, 4, 1, 2);
    assertThrows(
        IllegalArgumentException.class,
        () -> CachePolicyKind.LRU.create(shape, Optional.of(profile())));
  }
}
