@NullMarked
package org.maskedkd.vit;

import org.jspecify.annotations.NullMarked;
