@NullMarked
package org.maskedkd.coordinator;

import org.jspecify.annotations.NullMarked;
