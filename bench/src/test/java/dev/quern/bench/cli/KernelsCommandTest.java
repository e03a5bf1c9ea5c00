package dev.quern.bench.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.Main;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Without JMH, which would take seconds per kernel. */
class KernelsCommandTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          --bits 3 5          | --bits: expected one of [2, 3, 4, 8, 16, 32], found 5
          --shape 768         | --shape: expected ROWSxCOLS, such as 768x2048, found '768'
          --shape 768x        | --shape: expected ROWSxCOLS, such as 768x2048, found '768x'
          --shape 0x64        | --shape: expected ROWSxCOLS, such as 768x2048, found '0x64'
          --shape 8x9999999999| --shape: expected ROWSxCOLS, such as 768x2048, found '8x9999999999'
          --threads 0         | --threads, --forks and --seconds: expected at least 1
          --filter (          | Invalid value for option '--filter'
          """)
  void whatCannotBeMeasuredIsWrongUsage(String arguments, String expected) {
    StringWriter err = new StringWriter();
    int code =
        Main.commandLine()
            .setOut(new PrintWriter(new StringWriter()))
            .setErr(new PrintWriter(err))
            .execute(("bench kernels " + arguments).split(" "));
    assertEquals(2, code, err.toString());
    assertTrue(err.toString().startsWith("error: " + expected), err.toString());
  }
}
