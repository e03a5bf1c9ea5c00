package dev.quern.bench.peers;

import dev.quern.bench.synth.PublishedModel;
import dev.quern.format.FormatException;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A runtime in Java that Maven fetches: a class of the module {@code peers}, which has the options
 * of llama-bench and a class path of its own.
 */
public enum JavaPeer {
  /** github.com/tjake/Jlama. It reads folders of safetensors only. */
  JLAMA("jlama", "dev.quern.peers.Jlama"),
  /** github.com/kherud/java-llama.cpp: llama.cpp of March 2025, b4916, behind JNI. */
  JAVA_LLAMA_CPP("java-llama.cpp", "dev.quern.peers.JavaLlamaCpp");

  /** Families that quern reads from GGUF and llama.cpp b4916 knew. */
  private static final Set<String> FAMILIES_OF_B4916 =
      Set.of(
          "llama",
          "mistral",
          "mixtral",
          "qwen2",
          "qwen2_moe",
          "olmoe",
          "deepseek_v2",
          "deepseek_v3");

  /** System property: where the module is built. */
  private static final String FOLDER = "quern.peers";

  private final String label;
  private final String main;

  JavaPeer(String label, String main) {
    this.label = label;
    this.main = main;
  }

  /** As {@code --peer} takes it. */
  public String label() {
    return label;
  }

  public static Optional<JavaPeer> named(String label) {
    return Arrays.stream(values()).filter(peer -> peer.label.equals(label)).findFirst();
  }

  /**
   * Both know the families of their time; of those that are measured here, one.
   *
   * @throws IllegalArgumentException in one line, if it cannot run the shape
   */
  public void check(PublishedModel model) {
    if (model != PublishedModel.MIXTRAL_8X7B) {
      throw new IllegalArgumentException(
          "--peer %s: expected --like %s, the one shape that it runs, found %s"
              .formatted(label, PublishedModel.MIXTRAL_8X7B.label(), model.label()));
    }
  }

  /**
   * Of a file that somebody gives it.
   *
   * @throws FormatException if it does not know the family
   */
  public void check(PeerModel model) throws FormatException {
    String family = model.config().modelType();
    if (this == JAVA_LLAMA_CPP && !FAMILIES_OF_B4916.contains(family)) {
      throw FormatException.of(
          model.file(),
          label,
          "family",
          "one of " + FAMILIES_OF_B4916.stream().sorted().toList(),
          family,
          "Its llama.cpp is of March 2025");
    }
  }

  /**
   * @throws FormatException if the module is not built
   */
  public PeerProgram program() throws FormatException {
    return new PeerProgram(
        label, command(Path.of(System.getProperty(FOLDER, "peers/target"))), true);
  }

  /**
   * @param folder where Maven has built the module: classes, and jars under lib
   */
  List<String> command(Path folder) throws FormatException {
    Path jars = folder.resolve("lib");
    if (!Files.isDirectory(jars)) {
      throw new FormatException(
          "%s: expected its jars in %s, found no such folder. Run ./quern build peers"
              .formatted(label, jars));
    }
    return List.of(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--add-modules=jdk.incubator.vector",
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        "-cp",
        folder.resolve("classes") + File.pathSeparator + jars.resolve("*"),
        main);
  }
}
