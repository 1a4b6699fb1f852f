/**
 * From image files to training batches: {@link org.maskedkd.data.ImageSource} lists and decodes,
 * {@link org.maskedkd.data.TrainBatches} and {@link org.maskedkd.data.EvalBatches} cut, mix and
 * label, {@link org.maskedkd.data.Prefetcher} does it ahead of time. Images are uint8 throughout
 * and nothing is normalised here.
 */
@NullMarked
package org.maskedkd.data;

import org.jspecify.annotations.NullMarked;
