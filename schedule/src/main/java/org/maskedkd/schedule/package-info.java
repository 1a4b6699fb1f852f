/**
 * Schedules of one training step as data: planned, checked, simulated, drawn. Pure: no clock, no
 * process, no tensor.
 *
 * <p>Sizes are in samples, times in seconds unless a caller chose another unit and stays with it.
 */
@NullMarked
package org.maskedkd.schedule;

import org.jspecify.annotations.NullMarked;
