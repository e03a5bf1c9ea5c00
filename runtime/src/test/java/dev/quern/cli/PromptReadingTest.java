package dev.quern.cli;

import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PromptReadingTest {
  /** Closing says nothing again, or what is thrown would be replaced. */
  @ParameterizedTest
  @ValueSource(classes = {IOException.class, IllegalStateException.class, LinkageError.class})
  void whatReadingThrowsIsThrownOnce(Class<? extends Throwable> kind) throws Exception {
    Throwable thrown = kind.getConstructor(String.class).newInstance("what went wrong");
    Throwable seen =
        assertThrows(
            kind,
            () -> {
              try (PromptReading reading = new PromptReading(() -> fail(thrown))) {
                reading.get();
              }
            });
    assertSame(thrown, seen);
  }

  private static PromptReading.Prompt fail(Throwable thrown) throws IOException {
    switch (thrown) {
      case IOException e -> throw e;
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new AssertionError(thrown);
    }
  }
}
