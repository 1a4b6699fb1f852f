@NullMarked
package org.maskedkd.benchmarks;

import org.jspecify.annotations.NullMarked;
