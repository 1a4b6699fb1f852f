package org.maskedkd.tensor;

/** The interpolating kernel of {@link Ops#resample}. */
public enum Filter {
  BILINEAR,
  BICUBIC
}
