/** Kernels under JMH: {@code ./quern bench kernels}. */
package dev.quern.bench.jmh;
