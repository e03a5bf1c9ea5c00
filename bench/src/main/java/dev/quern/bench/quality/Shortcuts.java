package dev.quern.bench.quality;

import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.StreamedExperts;
import dev.quern.format.ExpertFile;
import dev.quern.format.Pack;
import dev.quern.kernels.Activations;
import dev.quern.model.ExpertSelection;
import dev.quern.model.Streaming;
import dev.quern.system.IoMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Lossy shortcuts to measure beside the exact runs.
 *
 * @param selection what is left out or replaced; {@link ExpertSelection#ALL} to measure nothing
 * @param activations {@link Activations#INT} to measure what rounding them costs
 * @param memory what experts may take, where the result depends on which of them are in memory
 */
public record Shortcuts(
    ExpertSelection selection, Activations activations, Optional<Memory> memory) {
  /** Exact runs only. */
  public static final Shortcuts NONE =
      new Shortcuts(ExpertSelection.ALL, Activations.F32, Optional.empty());

  /** Room for experts. */
  public sealed interface Memory {}

  /**
   * A share of the records of all experts.
   *
   * @param value above 0, at most 1
   */
  public record Share(double value) implements Memory {
    public Share {
      if (!(value > 0 && value <= 1)) {
        throw new IllegalArgumentException(
            "--memory-share: expected more than 0, at most 1, found " + value);
      }
    }
  }

  /** For their records. */
  public record Bytes(long value) implements Memory {}

  public Shortcuts {
    if (selection.dependsOnCache() != memory.isPresent()) {
      throw new IllegalArgumentException(
          memory.isPresent()
              ? "--memory-share, --expert-memory: only --skip-missing and --stand-in-bits depend on them"
              : "--skip-missing, --stand-in-bits: how much fits must be known. Add --memory-share or"
                  + " --expert-memory");
    }
  }

  public boolean any() {
    return selection.isLossy() || activations == Activations.INT;
  }

  /** Whether they take effect on packs and token by token only. */
  boolean decoding() {
    return selection.dependsOnCache() || activations == Activations.INT;
  }

  /** How a pack is run; empty where everything is in memory. */
  Optional<Streaming> streaming(Path pack) throws IOException {
    if (memory.isEmpty()) {
      return Optional.empty();
    }
    long bytes =
        switch (memory.get()) {
          case Bytes(long value) -> value;
          case Share(double value) -> share(value, pack);
        };
    return Optional.of(
        new Streaming(
            new Streaming.Experts(bytes),
            IoMode.DIRECT,
            CachePolicyKind.DEFAULT,
            Optional.empty(),
            true,
            0,
            Streaming.Prediction.BEST,
            false,
            false)); // a cache that shrinks would be another measurement
  }

  private static long share(double share, Path folder) throws IOException {
    long all = 0;
    long largest = 0;
    try (Pack pack = Pack.open(folder)) {
      for (String path : pack.manifest().files().keySet()) {
        if (path.startsWith(Pack.EXPERTS_FOLDER + "/")) {
          try (ExpertFile file = ExpertFile.open(folder.resolve(path))) {
            long slot = StreamedExperts.slotBytes(file);
            all += file.numExperts() * slot;
            largest = Math.max(largest, slot);
          }
        }
      }
    }
    return Math.max(largest, Math.round(share * all));
  }
}
