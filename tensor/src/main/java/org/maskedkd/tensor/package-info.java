@NullMarked
package org.maskedkd.tensor;

import org.jspecify.annotations.NullMarked;
