package dev.quern.converter.cli;

import dev.quern.converter.work.ProgressListener;
import java.io.PrintWriter;
import java.util.Locale;

/**
 * Progress with rate and time left: a bar that redraws itself on a terminal, a line every few
 * seconds elsewhere.
 */
final class ProgressBar implements ProgressListener {
  private static final int BAR_CHARACTERS = 30;
  private static final long LINE_INTERVAL_NANOS = 5_000_000_000L;
  private static final double MEGABYTE = 1e6;

  private final PrintWriter out;
  private final boolean terminal;
  private Phase current;
  private long phaseStart;
  private long lastLine;
  private boolean done;

  /**
   * @param terminal whether the line may be redrawn
   */
  ProgressBar(PrintWriter out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
  }

  @Override
  public synchronized void progress(Phase phase, long doneBytes, long totalBytes) {
    long now = System.nanoTime();
    if (phase != current) {
      current = phase;
      phaseStart = now;
      lastLine = now;
      done = false;
    }
    if (totalBytes == 0 || done) {
      return;
    }
    done = doneBytes >= totalBytes;
    String text = text(phase, doneBytes, totalBytes, (now - phaseStart) / 1e9);
    if (terminal) {
      out.print("\r" + text + "\033[K" + (done ? "\n" : ""));
      out.flush();
    } else if (done || now - lastLine >= LINE_INTERVAL_NANOS) {
      lastLine = now;
      out.println(text);
      out.flush();
    }
  }

  static String text(Phase phase, long doneBytes, long totalBytes, double seconds) {
    double share = (double) doneBytes / totalBytes;
    int filled = (int) (share * BAR_CHARACTERS);
    String bar = "#".repeat(filled) + "-".repeat(BAR_CHARACTERS - filled);
    String name =
        switch (phase) {
          case QUANTIZING -> "quantizing";
          case WRITING -> "writing";
          case COLLECTING -> "collecting";
        };
    String rate =
        doneBytes == 0 || seconds <= 0
            ? ""
            : String.format(Locale.ROOT, ", %.0f MB/s", doneBytes / MEGABYTE / seconds);
    String left =
        doneBytes == 0 || doneBytes >= totalBytes
            ? ""
            : ", " + duration(seconds * (totalBytes - doneBytes) / doneBytes) + " left";
    return String.format(
        Locale.ROOT,
        "%-10s [%s] %3d %% of %.1f MB%s%s",
        name,
        bar,
        (int) (100 * share),
        totalBytes / MEGABYTE,
        rate,
        left);
  }

  private static String duration(double seconds) {
    long rounded = Math.round(seconds);
    return rounded < 60
        ? rounded + " s"
        : rounded < 3600
            ? String.format(Locale.ROOT, "%d:%02d min", rounded / 60, rounded % 60)
            : String.format(Locale.ROOT, "%d:%02d h", rounded / 3600, rounded / 60 % 60);
  }
}
