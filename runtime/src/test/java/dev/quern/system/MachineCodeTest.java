package dev.quern.system;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

class MachineCodeTest {
  @Test
  @EnabledOnOs(value = OS.LINUX, architectures = "amd64")
  void codeIsExecuted() throws Throwable {
    byte[] leaRaxRdi1ThenRet = {0x48, (byte) 0x8D, 0x47, 0x01, (byte) 0xC3};
    MemorySegment code = MachineCode.load(leaRaxRdi1ThenRet).orElseThrow();
    FunctionDescriptor descriptor =
        FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG);
    assertEquals(
        42, (long) Linker.nativeLinker().downcallHandle(code, descriptor).invokeExact(41L));
  }
}
