package org.maskedkd.cli;

import org.maskedkd.cli.ChaosEvent.Role;

/**
 * How a run came over one kill.
 *
 * @param seconds from the kill to the first step that was committed afterwards, be it one that had
 *     been committed before and is replayed
 * @param caughtUpSeconds from the kill to the first step that had never been committed before
 * @param alone whether nothing else was killed or stopped meanwhile
 */
record Recovery(Role role, double seconds, double caughtUpSeconds, boolean alone) {}
