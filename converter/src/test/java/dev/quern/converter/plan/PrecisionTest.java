package dev.quern.converter.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.converter.plan.Precision.Method;
import dev.quern.model.TensorRole;
import dev.quern.quant.QuantScheme;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PrecisionTest {
  private static Precision with(String... overrides) {
    return Precision.experts(Method.TURBO, 3)
        .withOverrides(Arrays.stream(overrides).map(PrecisionOverride::parse).toList());
  }

  @Test
  void onlyRoutedExpertsAreQuantizedByDefault() {
    Precision precision = Precision.experts(Method.TURBO, 3);
    for (TensorRole role : TensorRole.values()) {
      Optional<QuantScheme> expected =
          role.component() == TensorRole.Component.EXPERTS
              ? Optional.of(QuantScheme.turbo(3))
              : Optional.empty();
      assertEquals(expected, precision.scheme(role, 0, false), role.label());
    }
  }

  @Test
  void overrideHoldsForItsRoleAndLayersOnly() {
    Precision precision = with("experts.down@1-2=4");
    assertEquals(3, precision.bits(TensorRole.EXPERT_DOWN, 0, false));
    assertEquals(4, precision.bits(TensorRole.EXPERT_DOWN, 1, false));
    assertEquals(4, precision.bits(TensorRole.EXPERT_DOWN, 2, false));
    assertEquals(3, precision.bits(TensorRole.EXPERT_DOWN, 3, false));
    assertEquals(3, precision.bits(TensorRole.EXPERT_UP, 1, false));
  }

  @Test
  void lastOverrideThatCoversATensorCounts() {
    Precision precision = with("experts.down=2", "experts=4", "experts.up@5=16");
    assertEquals(4, precision.bits(TensorRole.EXPERT_DOWN, 0, false));
    assertEquals(4, precision.bits(TensorRole.EXPERT_UP, 4, false));
    assertTrue(precision.scheme(TensorRole.EXPERT_UP, 5, false).isEmpty());
  }

  @ParameterizedTest
  @CsvSource({
    "attention.q=4, QUERY",
    "attention.v=4, VALUE",
    "attention.output=4, ATTENTION_OUTPUT",
    "attention=4, KEY",
    "shared=4, MLP_DOWN",
    "embedding=4, EMBEDDING",
    "head=4, HEAD"
  })
  void namesReachTheirRoles(String override, TensorRole role) {
    int layer = role.scope() == TensorRole.Scope.GLOBAL ? -1 : 2;
    assertEquals(4, with(override).bits(role, layer, false));
  }

  @Test
  void headFollowsTheEmbeddingWhereTiedUnlessChosen() {
    Precision precision = with("embedding=4");
    assertEquals(4, precision.bits(TensorRole.HEAD, -1, true));
    assertEquals(16, precision.bits(TensorRole.HEAD, -1, false));
    assertEquals(8, with("embedding=4", "head=8").bits(TensorRole.HEAD, -1, true));
  }

  @Test
  void eightBitsAreSymmetricCodesInGroupsOf32() {
    QuantScheme expected = new QuantScheme(QuantScheme.Method.ABSMAX, 8, 32, false, false);
    assertEquals(Optional.of(expected), with("attention=8").scheme(TensorRole.QUERY, 0, false));
  }

  @ParameterizedTest
  @CsvSource({"TURBO_RMS, RMS_F16, true", "AFFINE, AFFINE, false", "ABSMAX, ABSMAX, false"})
  void baselinesHaveGroupsOf64(Method method, QuantScheme.Method expected, boolean rotated) {
    assertEquals(
        Optional.of(new QuantScheme(expected, 4, 64, rotated, false)),
        Precision.experts(method, 4).scheme(TensorRole.EXPERT_UP, 0, false));
  }

  @Test
  void unknownRoleNamesTheNearestAndAll() {
    String message = refusal("expert.down=4");
    assertTrue(message.contains("unknown role 'expert.down'; nearest is 'experts.down'"), message);
    assertTrue(message.contains("attention.query"), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"router=4", "norm.query=8", "norm=8"})
  void routerAndNormsKeepTheirPrecision(String override) {
    String message = refusal(override);
    assertTrue(message.contains("always keeps the source's precision"), message);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"experts", "experts=", "experts@=3", "experts@1-=3", "experts=3x", "=3", ""})
  void whatIsNoOverrideIsRefused(String text) {
    String message = refusal(text);
    assertTrue(message.contains("expected ROLE=BITS"), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"experts=5", "experts=0", "experts=32"})
  void otherWidthsAreRefused(String text) {
    String message = refusal(text);
    assertTrue(message.contains("expected 2, 3, 4, 8 or 16"), message);
  }

  @Test
  void layersMustAscendAndExist() {
    assertTrue(refusal("experts@3-1=4").contains("end before they begin"));
    assertTrue(refusal("head@0-3=4").contains("not part of a layer"));
  }

  private static String refusal(String override) {
    return assertThrows(IllegalArgumentException.class, () -> PrecisionOverride.parse(override))
        .getMessage();
  }

  @ParameterizedTest
  @ValueSource(strings = {"experts=3", "experts.down@0-3=4", "attention@7=8", "embedding=4"})
  void overridesPrintAsTheyAreParsed(String text) {
    assertEquals(text, PrecisionOverride.parse(text).toString());
  }

  @Test
  void absmaxNeedsFourBitsOrEight() {
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> Precision.experts(Method.ABSMAX, 3))
            .getMessage()
            .contains("expected 4, 8 or 16"));
  }

  @Test
  void residualNeedsARotatedCodebook() {
    assertThrows(
        IllegalArgumentException.class, () -> Precision.experts(Method.AFFINE, 3).withQjl());
    assertTrue(
        Precision.experts(Method.TURBO, 3)
            .withQjl()
            .scheme(TensorRole.EXPERT_UP, 0, false)
            .orElseThrow()
            .qjl());
  }

  @Test
  void everyChoiceShowsInTheOptions() {
    Precision base = Precision.experts(Method.TURBO, 3);
    List<Precision> others =
        List.of(
            Precision.experts(Method.TURBO_RMS, 3),
            Precision.experts(Method.TURBO, 4),
            base.withQjl(),
            base.withOverrides(List.of(PrecisionOverride.parse("experts.up=4"))),
            changed(base, false, 0, 16, OptionalInt.empty()),
            changed(base, true, 1, 16, OptionalInt.empty()),
            changed(base, true, 0, 8, OptionalInt.empty()),
            changed(base, true, 0, 16, OptionalInt.of(16)));
    for (Precision other : others) {
      assertTrue(!other.options().equals(base.options()), other.toString());
    }
  }

  private static Precision changed(
      Precision base, boolean rotated, long seed, int attentionBits, OptionalInt headBits) {
    return new Precision(
        base.method(),
        base.scales(),
        base.groupSize(),
        rotated,
        false,
        seed,
        base.bits(),
        attentionBits,
        base.sharedExpertBits(),
        base.embeddingBits(),
        headBits,
        List.of());
  }
}
