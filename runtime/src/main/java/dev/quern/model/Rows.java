package dev.quern.model;

import dev.quern.kernels.Workers;
import dev.quern.quant.Linear;
import dev.quern.quant.Rotation;
import java.util.Arrays;

/**
 * The input of some linear maps, [rows, width], plain and rotated. A rotation is computed when the
 * first map asks for it and shared by the others. Buffers only grow.
 */
final class Rows {
  private final Workers workers;
  private final int width;
  private final Workers.Task rotateRow = this::rotateRow;
  private final Workers.Task copyRow = this::copyRow;

  private int rows;
  private float[] plain = {};
  private final Version rotated = new Version();
  private final Version residual = new Version();

  // Rows that are copies of another's: row r is row source[r] of base.
  private Rows base;
  private int[] source;
  private boolean plainCopied;

  // What the tasks work on.
  private float[] from;
  private float[] to;
  private Rotation applied;

  /** One rotated copy. */
  private static final class Version {
    private float[] values = {};
    private Rotation rotation;
  }

  Rows(Workers workers, int width) {
    this.workers = workers;
    this.width = width;
  }

  /** Begins a new input; returns the array whose first rows · width values the caller writes. */
  float[] start(int newRows) {
    rows = newRows;
    base = null;
    rotated.rotation = null;
    residual.rotation = null;
    plain = grown(plain);
    return plain;
  }

  /** Begins a new input of copies: row r is row source[r] of base. */
  void startGathered(int newRows, Rows newBase, int[] newSource) {
    rows = newRows;
    base = newBase;
    source = newSource;
    plainCopied = false;
    rotated.rotation = null;
    residual.rotation = null;
  }

  int width() {
    return width;
  }

  /** The values that {@link #start} returned. */
  float[] plain() {
    return plain;
  }

  /** The input as a map with this rotation reads it. */
  float[] rotated(Rotation rotation) {
    if (rotation.isNone()) {
      if (base != null && !plainCopied) {
        plain = grown(plain);
        copy(base.rotated(rotation), plain);
        plainCopied = true;
      }
      return plain;
    }
    if (base != null) {
      return gathered(rotated, rotation, rotated.rotation == null ? base.rotated(rotation) : null);
    }
    return version(rotated, rotation, plain);
  }

  /** The input as the residual of a map reads it: rotated twice. */
  float[] residual(Linear map) {
    Rotation rotation = map.residual().orElseThrow().rotation();
    if (base != null) {
      return gathered(residual, rotation, residual.rotation == null ? base.residual(map) : null);
    }
    return version(residual, rotation, rotated(map.rotation()));
  }

  private float[] gathered(Version version, Rotation rotation, float[] valuesIfNew) {
    checkSame(version, rotation);
    if (version.rotation == null) {
      version.values = grown(version.values);
      copy(valuesIfNew, version.values);
      version.rotation = rotation;
    }
    return version.values;
  }

  private float[] version(Version version, Rotation rotation, float[] input) {
    checkSame(version, rotation);
    if (version.rotation == null) {
      version.values = grown(version.values);
      from = input;
      to = version.values;
      applied = rotation;
      each(rotateRow);
      version.rotation = rotation;
    }
    return version.values;
  }

  /** Products read the buffers later: a second rotation must not overwrite the first. */
  private static void checkSame(Version version, Rotation rotation) {
    boolean same = version.rotation == null || version.rotation.equals(rotation);
    if (!same) {
      throw new IllegalStateException("maps that read one input have different rotations");
    }
  }

  private void copy(float[] values, float[] target) {
    from = values;
    to = target;
    each(copyRow);
  }

  private void each(Workers.Task task) {
    if (rows == 1) {
      task.run(0, 0);
    } else {
      workers.run(rows, task);
    }
  }

  private void rotateRow(int row, int thread) {
    System.arraycopy(from, row * width, to, row * width, width);
    applied.apply(to, row * width);
  }

  private void copyRow(int row, int thread) {
    System.arraycopy(from, source[row] * width, to, row * width, width);
  }

  private float[] grown(float[] buffer) {
    return grown(buffer, rows, width);
  }

  /** The buffer, or a longer one with the same beginning. */
  static float[] grown(float[] buffer, int rows, int width) {
    int needed = Math.multiplyExact(rows, width);
    return buffer.length >= needed ? buffer : Arrays.copyOf(buffer, needed);
  }
}
