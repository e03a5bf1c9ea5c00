package dev.quern.system;

/** How bytes come from a file into memory. */
public enum IoMode {
  /** The file's pages are used where the system maps them. */
  MMAP,
  /** Past the page cache, straight into the reader's memory. */
  DIRECT,
  /** Copied out of the page cache. */
  BUFFERED
}
