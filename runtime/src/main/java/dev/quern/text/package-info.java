/**
 * Text in, token ids out, and back: tokenizer, chat template, sampler, stop strings. Stands alone:
 * it knows nothing of models, formats or kernels.
 */
package dev.quern.text;
