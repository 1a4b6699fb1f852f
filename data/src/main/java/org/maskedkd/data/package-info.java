@NullMarked
package org.maskedkd.data;

import org.jspecify.annotations.NullMarked;
