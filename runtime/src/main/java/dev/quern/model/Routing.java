package dev.quern.model;

/** How a router's logits become the experts of a token and their weights. */
public enum Routing {
  /** Softmax over all experts, then the k largest; ties go to the lower id. */
  SOFTMAX_THEN_TOP_K
}
