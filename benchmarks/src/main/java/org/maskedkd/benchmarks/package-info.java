/**
 * Benchmarks: each prints figures and asserts nothing. {@link org.maskedkd.benchmarks.Benchmarks}
 * is the door; {@code docs/performance.md} holds commands and results.
 */
@NullMarked
package org.maskedkd.benchmarks;

import org.jspecify.annotations.NullMarked;
