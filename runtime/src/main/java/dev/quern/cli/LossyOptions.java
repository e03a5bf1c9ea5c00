package dev.quern.cli;

import dev.quern.model.ExpertSelection;
import picocli.CommandLine.Option;

/** Options that trade quality for speed: {@link ExpertSelection}. */
public final class LossyOptions {

  @Option(
      names = "--experts-per-token",
      paramLabel = "N",
      defaultValue = "0",
      description = "lossy: use only the N most heavily weighted experts of a token")
  private int perToken;

  @Option(
      names = "--fast",
      description = "lossy: use half of the experts that the model was trained to use")
  private boolean fast;

  @Option(
      names = "--adaptive-experts",
      paramLabel = "T",
      defaultValue = "0",
      description = "lossy: leave out experts whose routing weight is T times below the first")
  private double adaptive;

  @Option(
      names = "--skip-missing",
      description = {
        "lossy: while decoding (a prompt of one token counts), leave out experts that are not in",
        "memory, but for the most heavily weighted; needs --memory"
      })
  private boolean skipMissing;

  @Option(
      names = "--stand-in-bits",
      paramLabel = "BITS",
      defaultValue = "0",
      description = {
        "lossy: while decoding (a prompt of one token counts), the pack's copies at so many bits",
        "answer for experts that are not in memory; needs --memory and a pack converted with this",
        "option"
      })
  private int standInBits;

  /**
   * @throws IllegalArgumentException if options contradict each other
   */
  public ExpertSelection selection() {
    return new ExpertSelection(perToken, fast, adaptive, skipMissing, standInBits);
  }
}
