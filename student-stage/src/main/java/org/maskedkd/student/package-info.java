@NullMarked
package org.maskedkd.student;

import org.jspecify.annotations.NullMarked;
