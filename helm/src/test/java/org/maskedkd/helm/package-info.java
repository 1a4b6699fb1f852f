@NullMarked
package org.maskedkd.helm;

import org.jspecify.annotations.NullMarked;
