package dev.quern.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Says whether a one-bit QJL residual is worth its bit: {@code turbo+qjl} at b bits against {@code
 * turbo} at b + 1 bits, which stores about as much.
 */
public final class QjlVerdict {
  private QjlVerdict() {}

  /** One sentence per comparison that the results allow, and a conclusion; empty if none. */
  public static List<String> sentences(Results results) {
    List<String> sentences = new ArrayList<>();
    int wins = 0;
    int comparisons = 0;
    for (VariantResult qjl : results.quantized()) {
      if (!qjl.method().equals(VariantResult.TURBO_QJL)) {
        continue;
      }
      VariantResult more = results.variant("turbo", qjl.bits() + 1).orElse(null);
      if (more == null) {
        continue;
      }
      comparisons++;
      boolean pays =
          qjl.lnPplLoss() < more.lnPplLoss() && qjl.bitsPerWeight() <= more.bitsPerWeight() + 0.05;
      wins += pays ? 1 : 0;
      sentences.add(
          String.format(
              Locale.ROOT,
              "turbo %d with the residual stores %.2f bits per weight and loses %.4f in ln"
                  + " perplexity; turbo %d stores %.2f and loses %.4f: the extra bit is better"
                  + " spent on %s.",
              qjl.bits(),
              qjl.bitsPerWeight(),
              qjl.lnPplLoss(),
              more.bits(),
              more.bitsPerWeight(),
              more.lnPplLoss(),
              pays ? "the residual" : "the codebook"));
    }
    if (comparisons > 0) {
      sentences.addFirst(
          wins == 0
              ? "The QJL residual does not pay."
              : wins == comparisons
                  ? "The QJL residual pays."
                  : "The QJL residual pays in %d of %d cases.".formatted(wins, comparisons));
    }
    return sentences;
  }
}
