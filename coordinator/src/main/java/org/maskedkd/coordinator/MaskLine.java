package org.maskedkd.coordinator;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A line of {@code masks.jsonl}: which patches of the first evaluation images a teacher would see.
 *
 * @param step the last committed one; 0 before the first
 * @param epoch from 0 on, the one that {@code step} ends; null before the first step
 * @param keep share of the patches
 * @param rows of the teacher's grid
 * @param kept for each image of {@code masks.png} its patches, row by row of the grid, ascending
 */
record MaskLine(
    long step,
    @Nullable Integer epoch,
    double keep,
    int rows,
    int columns,
    List<List<Integer>> kept) {}
