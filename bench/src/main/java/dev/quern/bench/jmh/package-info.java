/** Kernels under JMH: {@code ./quern bench}. */
package dev.quern.bench.jmh;
