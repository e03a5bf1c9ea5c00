package dev.quern.converter.shadow;

import java.util.List;

/**
 * Adam with bias correction, arXiv 1412.6980, algorithm 1. Moments in float32, elementwise: the
 * result does not depend on the machine.
 */
final class Adam {
  private static final float BETA1 = 0.9f;
  private static final float BETA2 = 0.999f;
  private static final float EPSILON = 1e-8f;

  private final List<float[]> parameters;
  private final List<float[]> gradients;
  private final List<float[]> first;
  private final List<float[]> second;
  private int steps;

  /**
   * @param parameters changed by every step
   * @param gradients of the same lengths, read by every step
   */
  Adam(List<float[]> parameters, List<float[]> gradients) {
    this.parameters = List.copyOf(parameters);
    this.gradients = List.copyOf(gradients);
    first = parameters.stream().map(p -> new float[p.length]).toList();
    second = parameters.stream().map(p -> new float[p.length]).toList();
  }

  void step(double rate) {
    steps++;
    float correction2 = (float) (1 / (1 - StrictMath.pow(BETA2, steps)));
    float size = (float) (rate / (1 - StrictMath.pow(BETA1, steps)));
    for (int i = 0; i < parameters.size(); i++) {
      update(parameters.get(i), gradients.get(i), first.get(i), second.get(i), size, correction2);
    }
  }

  private static void update(
      float[] p, float[] g, float[] m, float[] v, float size, float correction2) {
    for (int i = 0; i < p.length; i++) {
      m[i] += (1 - BETA1) * (g[i] - m[i]);
      v[i] += (1 - BETA2) * (g[i] * g[i] - v[i]);
      p[i] -= size * m[i] / ((float) Math.sqrt(v[i] * correction2) + EPSILON);
    }
  }
}
