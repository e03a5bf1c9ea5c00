package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.MethodModel;
import java.lang.classfile.attribute.CodeAttribute;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Results do not show the inlining cliff, see {@link TileLoops}; the size of the bytecode does. */
class InliningTest {
  private static final int FREQ_INLINE_SIZE = 325;

  @Test
  void heavyLoopsAreTooLongToBeInlined() throws IOException {
    Map<Class<?>, List<String>> heavy =
        Map.of(
            TileLoops.class, List.of("sumNibbles", "addScaled"),
            TableLoops.class, List.of("wholeSums3", "wholeSumsOfPairs", "wholeSumsOfColumns"),
            TableBatchLoops.class,
                List.of("sumsOfPairs", "sumsOfNibbles", "sumsForTwo", "addScaled"),
            LevelLoops.class, List.of("fillPairs", "fillNibbles"),
            PanelLoops.class, List.of("levels"),
            PanelVectors.class, List.of("multiply4"),
            LargePanelGroups.class, List.of("multiply5", "multiply6", "multiply7", "multiply8"),
            LargeHalfGroups.class, List.of("multiply6", "multiply8"),
            DeltaVectors.class, List.of("readColumns", "writeColumns"));
    for (Map.Entry<Class<?>, List<String>> entry : heavy.entrySet()) {
      for (String name : entry.getValue()) {
        int bytes = bytecodeBytes(entry.getKey(), name);
        assertTrue(bytes > FREQ_INLINE_SIZE, name + ": " + bytes + " bytes of bytecode");
      }
    }
  }

  private static int bytecodeBytes(Class<?> type, String name) throws IOException {
    try (InputStream in = type.getResourceAsStream(type.getSimpleName() + ".class")) {
      List<MethodModel> named =
          ClassFile.of().parse(in.readAllBytes()).methods().stream()
              .filter(method -> method.methodName().equalsString(name))
              .toList();
      assertEquals(1, named.size(), name);
      return ((CodeAttribute) named.getFirst().code().orElseThrow()).codeLength();
    }
  }
}
