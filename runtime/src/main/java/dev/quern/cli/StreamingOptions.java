package dev.quern.cli;

import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.ExpertProfile;
import dev.quern.model.ModelOptions;
import dev.quern.model.Prefill;
import dev.quern.model.Streaming;
import dev.quern.model.Streaming.Prediction;
import dev.quern.system.IoMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;

/** Options of commands that can run a pack whose experts stay on disk. */
public final class StreamingOptions {
  /** What means nothing without a budget; some of {@link LossyOptions}. */
  private static final List<String> NEED_MEMORY =
      List.of(
          "--io",
          "--cache",
          "--prefetch",
          "--speculate",
          "--readers",
          "--no-checksums",
          "--no-memory-watch",
          "--skip-missing",
          "--stand-in-bits");

  /** What is done with a profile. */
  public enum ProfileUse {
    SAVE,
    LOAD
  }

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      converter = ByteSize.Converter.class,
      description = {
        "run a pack within this much memory, everything counted: 6g is 6 GB, 6gi is 6 GiB;",
        "experts that do not fit are read from disk when they are needed"
      })
  private Optional<ByteSize> memory;

  @Option(
      names = "--io",
      paramLabel = "MODE",
      defaultValue = "direct",
      description = {
        "how experts are read: direct (past the page cache), buffered or mmap (default:",
        "${DEFAULT-VALUE})"
      })
  private IoMode io;

  @Option(
      names = "--cache",
      paramLabel = "POLICY",
      converter = PolicyConverter.class,
      description = {
        "which experts stay in memory: lru, lfu, lcp, least-stale, arc, tinylfu, forward or",
        "static (the hottest of a profile)"
      })
  private Optional<CachePolicyKind> cache;

  @Option(
      names = "--prefetch",
      paramLabel = "PREDICTOR",
      defaultValue = "best",
      converter = PredictionConverter.class,
      description = {
        "who says which experts to read ahead: none, next-router, shadow (see train-shadow), or",
        "best: the shadow if the pack has one, else the next routers (default: ${DEFAULT-VALUE})"
      })
  private Prediction prefetch;

  @Option(
      names = "--speculate",
      description = "compute predicted experts beside the router, before it has chosen")
  private boolean speculate;

  @Option(
      names = "--readers",
      paramLabel = "N",
      defaultValue = "0",
      description = "experts read at the same time; 0 measures what suits the disk (default)")
  private int readers;

  @Option(
      names = "--no-checksums",
      description = "do not compare experts with their checksums when they are first read")
  private boolean noChecksums;

  @Option(
      names = "--no-memory-watch",
      description = "do not shrink the cache when the system gets short of memory")
  private boolean noWatch;

  @Option(
      names = "--profile",
      paramLabel = "save|load=FILE",
      converter = {ProfileUseConverter.class, PathConverter.class},
      description = {
        "save: write how often each expert was used; load: fill the cache with the experts that",
        "were used most, before the first token; both may be given"
      })
  private Map<ProfileUse, Path> profile = new EnumMap<>(ProfileUse.class);

  @Option(
      names = "--prefill",
      paramLabel = "MODE",
      defaultValue = "layer-grouped",
      converter = PrefillConverter.class,
      description = {
        "how a prompt passes the model: layer-grouped (each expert is read once), active-only or",
        "chunked (chunk by chunk, reading the chosen or all experts), resident (all experts in",
        "memory first) (default: ${DEFAULT-VALUE})"
      })
  private Prefill prefill;

  @Option(
      names = "--prefill-chunk",
      paramLabel = "TOKENS",
      defaultValue = "" + ModelOptions.DEFAULT_CHUNK,
      description = "of active-only and chunked (default: ${DEFAULT-VALUE})")
  private int prefillChunk;

  /** Names of options use hyphens where enums have underscores. */
  private abstract static class EnumConverter<E extends Enum<E>> implements ITypeConverter<E> {
    private final Class<E> type;

    EnumConverter(Class<E> type) {
      this.type = type;
    }

    @Override
    public E convert(String value) {
      try {
        return Enum.valueOf(type, value.toUpperCase(Locale.ROOT).replace('-', '_'));
      } catch (IllegalArgumentException e) {
        String names =
            String.join(
                ", ",
                java.util.Arrays.stream(type.getEnumConstants())
                    .map(c -> c.name().toLowerCase(Locale.ROOT).replace('_', '-'))
                    .toList());
        throw new TypeConversionException("expected one of " + names + ", found '" + value + "'");
      }
    }
  }

  static final class PredictionConverter extends EnumConverter<Prediction> {
    PredictionConverter() {
      super(Prediction.class);
    }
  }

  static final class PrefillConverter extends EnumConverter<Prefill> {
    PrefillConverter() {
      super(Prefill.class);
    }
  }

  static final class ProfileUseConverter extends EnumConverter<ProfileUse> {
    ProfileUseConverter() {
      super(ProfileUse.class);
    }
  }

  static final class PathConverter implements ITypeConverter<Path> {
    @Override
    public Path convert(String value) {
      return Path.of(value);
    }
  }

  static final class PolicyConverter implements ITypeConverter<CachePolicyKind> {
    @Override
    public CachePolicyKind convert(String value) {
      try {
        return CachePolicyKind.ofLabel(value);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  /**
   * Adds what is asked for.
   *
   * @param context positions that the session will have
   * @throws ParameterException if options contradict each other
   * @throws IOException if a profile cannot be read
   */
  public ModelOptions apply(ModelOptions options, int context, CommandLine command)
      throws IOException {
    ModelOptions prefilled = options.with(prefill, prefillChunk);
    if (memory.isEmpty()) {
      Optional<String> option = thatNeedsMemory(command);
      if (option.isPresent()) {
        throw new ParameterException(command, option.get() + " needs --memory");
      }
      return prefilled;
    }
    if (speculate && prefetch == Prediction.NONE) {
      throw new ParameterException(
          command, "--speculate needs predictions, which --prefetch none leaves out");
    }
    Path known = profile.get(ProfileUse.LOAD);
    return prefilled.with(
        new Streaming(
            new Streaming.Total(memory.get().bytes(), context),
            io,
            cache.orElse(CachePolicyKind.DEFAULT),
            known == null ? Optional.empty() : Optional.of(ExpertProfile.load(known)),
            !noChecksums,
            readers,
            prefetch,
            speculate,
            !noWatch));
  }

  private Optional<String> thatNeedsMemory(CommandLine command) {
    if (profile.containsKey(ProfileUse.LOAD)) {
      return Optional.of("--profile load");
    }
    if (prefill == Prefill.RESIDENT) {
      return Optional.of("--prefill resident");
    }
    return NEED_MEMORY.stream().filter(command.getParseResult()::hasMatchedOption).findFirst();
  }

  /** Whether experts are read from disk under a budget, which {@code context} is part of. */
  boolean hasBudget() {
    return memory.isPresent();
  }

  /** Where the use of experts is to be written. */
  public Optional<Path> savedProfile() {
    return Optional.ofNullable(profile.get(ProfileUse.SAVE));
  }
}
