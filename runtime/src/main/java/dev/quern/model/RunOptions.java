package dev.quern.model;

import dev.quern.kv.KvType;

/**
 * How the forward pass goes about its work.
 *
 * @param chunkTokens of a prompt that is cut in chunks, at most {@link Transformer#CHUNK_TOKENS}
 */
record RunOptions(ExpertSelection selection, Prefill prefill, int chunkTokens, KvType kvType) {
  /** As the model was meant. */
  static final RunOptions PLAIN =
      new RunOptions(
          ExpertSelection.ALL, Prefill.LAYER_GROUPED, ModelOptions.DEFAULT_CHUNK, KvType.F16);
}
