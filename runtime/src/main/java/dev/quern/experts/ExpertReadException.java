package dev.quern.experts;

import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * An expert could not be read in the middle of a forward pass: the file is damaged or gone, or the
 * disk failed. The message names file and record. The session stays where it was before the tokens
 * that failed, and can go on.
 */
public final class ExpertReadException extends UncheckedIOException {
  private static final long serialVersionUID = 1;

  public ExpertReadException(IOException cause) {
    super(cause.getMessage(), cause);
  }
}
