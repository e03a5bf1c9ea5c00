package dev.quern.converter.traces;

import java.util.Locale;

/** What a document is for. */
public enum Split {
  TRAIN,
  VALID,
  TEST;

  /** As options and files write it. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * @throws IllegalArgumentException if there is none of this label
   */
  public static Split of(String label) {
    for (Split split : values()) {
      if (split.label().equals(label)) {
        return split;
      }
    }
    throw new IllegalArgumentException("split: expected train, valid or test, found " + label);
  }

  String folder() {
    return "split=" + label();
  }
}
