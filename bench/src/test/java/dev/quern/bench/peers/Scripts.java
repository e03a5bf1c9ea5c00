package dev.quern.bench.peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/** Shell scripts in place of peers' programs. */
public final class Scripts {
  /** Answers as llama-bench does; its speed is 100 plus what it was asked for. */
  static final String LLAMA_BENCH =
      """
      #!/bin/sh
      while [ $# -gt 0 ]; do
        case $1 in
          -p) p=$2 ;;
          -n) n=$2 ;;
          -t) t=$2 ;;
          -d) d=$2 ;;
          -m) [ -f "$2" ] || { echo "no model" >&2; exit 1; } ;;
        esac
        shift 2
      done
      cat <<JSON
      [
        {
          "build_commit": "abc",
          "n_prompt": $p,
          "n_gen": $n,
          "n_depth": ${d:-0},
          "n_threads": $t,
          "samples_ts": [ 1.0, $((100 + p + n)) ]
        }
      ]
      JSON
      """;

  private Scripts() {}

  /** An executable file that answers as llama-bench does. */
  public static Path llamaBench(Path folder) throws IOException {
    return write(folder, "llama-bench", LLAMA_BENCH);
  }

  static Path write(Path folder, String name, String text) throws IOException {
    Path file = Files.writeString(folder.resolve(name), text);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
    return file;
  }
}
