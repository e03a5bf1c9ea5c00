package dev.quern.bench.quality;

import java.io.Serializable;

/**
 * What one model made of one window.
 *
 * @param predicted tokens that were predicted: all of the window but the first
 * @param nll Σ −ln p(token), nats
 * @param kld Σ KL(original ‖ this), nats; 0 for the original
 * @param agreements predicted positions whose most probable token is the original's
 */
public record WindowScore(int predicted, double nll, double kld, int agreements)
    implements Serializable {}
