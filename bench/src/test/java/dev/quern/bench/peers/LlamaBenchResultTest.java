package dev.quern.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.speed.SpeedTest;
import dev.quern.format.FormatException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LlamaBenchResultTest {
  /** Keys as llama.cpp writes them in 2026, fewer. */
  private static final String LLAMA_CPP =
      """
      [
        {
          "build_commit": "3679b65",
          "build_number": 6000,
          "cpu_info": "AMD EPYC",
          "backends": "CPU",
          "model_filename": "m.gguf",
          "n_threads": 2,
          "tensor_split": "0.00",
          "n_prompt": 0,
          "n_gen": 64,
          "n_depth": 4096,
          "avg_ts": 75.5,
          "stddev_ts": 0.5,
          "samples_ns": [ 800000000, 900000000 ],
          "samples_ts": [ 75.0, 76.0 ]
        }
      ]
      """;

  /** As ik_llama.cpp writes it: a warning among the keys, no depth. */
  private static final String IK_LLAMA_CPP =
      """
      [
      WARNING: Behavior may be unexpected when allocating 0 bytes for ggml_calloc!
        {
          "build_commit": "8337e4cd3",
          "n_threads": 2,
          "n_prompt": 512,
          "n_gen": 0,
          "test": "pp512",
          "avg_ts": 545.25,
          "samples_ts": [ 545.25 ]
      ======================================= HAVE_FANCY_SIMD is defined
        }
      ]
      """;

  @Test
  void readsTheJsonOfLlamaCpp() throws FormatException {
    LlamaBenchResult result = LlamaBenchResult.parse("llama.cpp", LLAMA_CPP).getFirst();
    assertEquals(new LlamaBenchResult("3679b65", 0, 64, 4096, 2, List.of(75.0, 76.0)), result);
    assertTrue(result.isOf(new SpeedTest(SpeedTest.Kind.DECODE, 64, 4096)));
    assertFalse(result.isOf(new SpeedTest(SpeedTest.Kind.DECODE, 64, 0)));
    assertFalse(result.isOf(new SpeedTest(SpeedTest.Kind.PREFILL, 64, 4096)));
  }

  @Test
  void readsTheJsonOfIkLlamaCppWithItsWarnings() throws FormatException {
    LlamaBenchResult result = LlamaBenchResult.parse("ik", IK_LLAMA_CPP).getFirst();
    assertEquals(new LlamaBenchResult("8337e4cd3", 512, 0, 0, 2, List.of(545.25)), result);
    assertTrue(result.isOf(new SpeedTest(SpeedTest.Kind.PREFILL, 512, 0)));
  }

  @Test
  void withoutSamplesTheMeanIsTaken() throws FormatException {
    String output = LLAMA_CPP.replace("\"samples_ts\": [ 75.0, 76.0 ]", "\"other\": 1");
    assertEquals(List.of(75.5), LlamaBenchResult.parse("x", output).getFirst().samples());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          "n_threads": 2        | "threads": 2      | x: key 'n_threads' of its JSON: expected a count, found none
          "n_gen": 64           | "n_gen": -1       | x: key 'n_gen' of its JSON: expected a count, found -1
          "n_gen": 64           | "n_gen": "64"     | x: key 'n_gen' of its JSON: expected a count, found "64"
          [ 75.0, 76.0 ]        | [ 0.0 ]           | x: key 'samples_ts' of its JSON: expected tokens per second, found 0.0
          [ 75.0, 76.0 ]        | [ null ]          | x: key 'samples_ts' of its JSON: expected tokens per second, found null
          """)
  void whatIsMissingOrWrongIsNamed(String right, String wrong, String message) {
    String output = LLAMA_CPP.replace(right, wrong);
    FormatException e =
        assertThrows(FormatException.class, () -> LlamaBenchResult.parse("x", output));
    assertEquals(message, e.getMessage());
  }

  @Test
  void otherOutputIsNoLlamaBench() {
    FormatException e =
        assertThrows(FormatException.class, () -> LlamaBenchResult.parse("x", "usage: x\n"));
    assertEquals(
        "x: expected a JSON array from -o json, found 'usage: x?'. Is it a llama-bench?",
        e.getMessage());
    FormatException none =
        assertThrows(FormatException.class, () -> LlamaBenchResult.parse("x", ""));
    assertTrue(none.getMessage().contains("found nothing"), none.getMessage());
  }
}
