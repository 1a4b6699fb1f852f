@NullMarked
package org.maskedkd.runtime;

import org.jspecify.annotations.NullMarked;
