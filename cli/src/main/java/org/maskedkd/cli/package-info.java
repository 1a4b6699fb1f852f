@NullMarked
package org.maskedkd.cli;

import org.jspecify.annotations.NullMarked;
