@NullMarked
package org.maskedkd.teacher;

import org.jspecify.annotations.NullMarked;
