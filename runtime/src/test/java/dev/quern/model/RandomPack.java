package dev.quern.model;

import dev.quern.format.DType;
import dev.quern.format.ExpertFileWriter;
import dev.quern.format.ExpertMatrix;
import dev.quern.format.Pack;
import dev.quern.format.PackManifest;
import dev.quern.format.SafetensorsWriter;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.kernels.TileLayout;
import dev.quern.quant.QuantScheme;
import dev.quern.quant.Rotation;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * A pack of random bytes, and the folder of float32 matrices that it stands for: every matrix
 * dequantized by the scalar definition and rotated back. Both must give the same logits.
 */
final class RandomPack {
  private static final long SEED = 20_250_901;
  private static final float[] SCALES = new float[16];
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  static {
    for (int i = 0; i < SCALES.length; i++) {
      SCALES[i] = 0.2f + 0.1f * i;
    }
  }

  private final Path packDir;
  private final Path folder;
  private final QuantScheme scheme;
  private final ModelConfig config;
  private final Random random = new Random(SEED);
  private final Map<String, float[]> dequantized = new LinkedHashMap<>();
  private final Map<String, List<Long>> shapes = new LinkedHashMap<>();
  private final Map<String, byte[]> stored = new LinkedHashMap<>();
  private final Map<String, PackManifest.QuantizedTensor> quantized = new LinkedHashMap<>();

  private RandomPack(Path packDir, Path folder, QuantScheme scheme) throws IOException {
    this.packDir = packDir;
    this.folder = folder;
    this.scheme = scheme;
    this.config = HuggingFaceConfig.read(packDir.resolve(ModelSource.CONFIG_NAME));
  }

  /** Writes both into empty folders that exist. */
  static void write(Path packDir, Path folder, String configJson, QuantScheme scheme)
      throws IOException {
    Files.writeString(packDir.resolve(ModelSource.CONFIG_NAME), configJson);
    Files.writeString(folder.resolve(ModelSource.CONFIG_NAME), configJson);
    new RandomPack(packDir, folder, scheme).write();
  }

  private void write() throws IOException {
    Files.createDirectories(packDir.resolve(Pack.EXPERTS_FOLDER));
    for (int layer = 0; layer < config.numLayers(); layer++) {
      if (config.hasExperts(layer)) {
        writeExperts(layer);
      }
    }
    List<TensorKey> keys = config.tensorKeys().toList();
    for (TensorKey key : keys) {
      String name = key.path();
      shapes.put(name, config.shape(key));
      if (key.role().scope() != TensorRole.Scope.EXPERT) {
        if (key.role().input().isPresent()) {
          byte[] bytes = randomMatrix(key, name);
          stored.put(name, bytes);
          List<Long> shape = config.shape(key);
          int rows = shape.get(0).intValue();
          int cols = shape.get(1).intValue();
          quantized.put(
              name, new PackManifest.QuantizedTensor(rows, cols, scheme, codebook(), scales()));
        } else {
          float[] values = randomFloats(key);
          dequantized.put(name, values);
          stored.put(name, bytes(values));
        }
      }
    }
    writeDense();
    writeFolder();
  }

  /** Norms around 1, a router that decides. */
  private float[] randomFloats(TensorKey key) {
    int elements = config.shape(key).stream().reduce(1L, Math::multiplyExact).intValue();
    float[] values = new float[elements];
    for (int i = 0; i < elements; i++) {
      float normal = (float) random.nextGaussian();
      values[i] = key.role() == TensorRole.ROUTER ? normal : 1 + 0.1f * normal;
    }
    return values;
  }

  private float[] codebook() {
    if (scheme.bits() == Byte.SIZE) {
      return new float[0];
    }
    float[] levels = new float[1 << scheme.bits()];
    for (int i = 0; i < levels.length; i++) {
      levels[i] = (2 * i + 1f) / levels.length - 1;
    }
    return levels;
  }

  private float[] scales() {
    return scheme.method() == QuantScheme.Method.LLOYD_U4 ? SCALES : new float[0];
  }

  /** Random indices and scale codes, plain factors; remembers what they stand for. */
  private byte[] randomMatrix(TensorKey key, String name) {
    List<Long> shape = config.shape(key);
    int rows = shape.get(0).intValue();
    int cols = shape.get(1).intValue();
    TileLayout layout = scheme.layout(rows, cols);
    byte[] bytes = new byte[Math.toIntExact(scheme.bytes(rows, cols))];
    random.nextBytes(bytes);
    MemorySegment data = MemorySegment.ofArray(bytes);
    fillFactors(layout, data, 0.2f / (float) Math.sqrt(cols));
    fillScales(layout, data, 0.2f / (float) Math.sqrt(cols));
    Rotation.Input input = key.role().input().orElseThrow();
    if (scheme.qjl()) {
      TileLayout signs = scheme.residualLayout(rows, cols);
      fillFactors(
          signs, data.asSlice(layout.bytes(), signs.bytes()), 0.05f / (float) Math.sqrt(cols));
    }
    PackManifest.QuantizedTensor tensor =
        new PackManifest.QuantizedTensor(rows, cols, scheme, codebook(), scales());
    float[] weights = DequantizedPack.weights(tensor, data, SEED, key.layer(), input);
    dequantized.put(name, weights);
    return bytes;
  }

  private static void fillFactors(TileLayout layout, MemorySegment data, float factor) {
    for (int i = 0; i < layout.factors(); i++) {
      data.set(SHORT, layout.factorOffset() + 2L * i, Float.floatToFloat16(factor * (1 + i % 3)));
    }
  }

  /** The f16 scales and offsets of every block; random bytes would hold infinities. */
  private void fillScales(TileLayout layout, MemorySegment data, float scale) {
    if (layout.scales() != TileLayout.Scales.F16) {
      return;
    }
    float unit = layout.bits() == Byte.SIZE ? scale / 100 : scale;
    for (int tile = 0; tile < layout.tiles(); tile++) {
      for (int block = 0; block < layout.blocks(); block++) {
        long at = layout.blockOffset(tile, block);
        for (int i = 0; i < layout.scaleBytes(); i += Short.BYTES) {
          data.set(SHORT, at + i, Float.floatToFloat16(unit * (0.5f + random.nextFloat())));
        }
      }
    }
  }

  private void writeExperts(int layer) throws IOException {
    TensorRole[] roles = {TensorRole.EXPERT_GATE, TensorRole.EXPERT_UP, TensorRole.EXPERT_DOWN};
    List<ExpertMatrix> matrices = new ArrayList<>();
    for (TensorRole role : roles) {
      List<Long> shape = config.shape(new TensorKey(role, layer, 0));
      matrices.add(
          ExpertMatrix.quantized(
              ModelSource.expertRole(role),
              shape.get(0).intValue(),
              shape.get(1).intValue(),
              scheme,
              codebook(),
              scales()));
    }
    Path file = packDir.resolve(Pack.expertPath(layer));
    try (ExpertFileWriter out =
        ExpertFileWriter.create(file, layer, config.numExperts(), matrices)) {
      for (int expert = 0; expert < config.numExperts(); expert++) {
        byte[] record = new byte[Math.toIntExact(out.recordBytes())];
        for (int m = 0; m < roles.length; m++) {
          TensorKey key = new TensorKey(roles[m], layer, expert);
          byte[] bytes = randomMatrix(key, key.path());
          int at = Math.toIntExact(out.matrices().get(m).offset());
          System.arraycopy(bytes, 0, record, at, bytes.length);
        }
        out.append(MemorySegment.ofArray(record));
      }
      out.finish();
    }
  }

  private void writeDense() throws IOException {
    List<Declared> declared = new ArrayList<>();
    stored.forEach((name, bytes) ->
        declared.add(
            quantized.containsKey(name)
                ? new Declared(name, DType.U8, List.of((long) bytes.length))
                : new Declared(name, DType.F32, shapes.get(name))));
    writeTensors(packDir.resolve(Pack.DENSE_NAME), declared, stored);
    new PackManifest(
            PackManifest.FORMAT_VERSION,
            "quern test",
            new PackManifest.Source("random", "00"),
            ConfigJson.write(config),
            SEED,
            new TreeMap<>(),
            new TreeMap<>(quantized),
            PackManifest.listFiles(packDir))
        .write(packDir);
  }

  private void writeFolder() throws IOException {
    List<Declared> declared = new ArrayList<>();
    Map<String, byte[]> contents = new LinkedHashMap<>();
    Map<String, String> names = new LinkedHashMap<>();
    config
        .tensorKeys()
        .forEach(key ->
            names.put(
                key.path(), Architecture.QWEN3_MOE.huggingFace(key.role()).getFirst().name(key)));
    dequantized.forEach((path, values) -> {
      String name = names.get(path);
      declared.add(new Declared(name, DType.F32, shapes.get(path)));
      contents.put(name, bytes(values));
    });
    writeTensors(folder.resolve("model.safetensors"), declared, contents);
  }

  private static void writeTensors(Path file, List<Declared> declared, Map<String, byte[]> contents)
      throws IOException {
    try (SafetensorsWriter out = SafetensorsWriter.create(file, declared, Map.of())) {
      for (Declared tensor : declared) {
        out.write(tensor.name(), ByteBuffer.wrap(contents.get(tensor.name())));
      }
      out.finish();
    }
  }

  private static byte[] bytes(float[] values) {
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return bytes.array();
  }
}
