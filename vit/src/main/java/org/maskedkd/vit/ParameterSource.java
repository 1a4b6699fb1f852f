package org.maskedkd.vit;

/** Where the values of a model's parameters come from. */
interface ParameterSource {

  /** The values of one parameter, row-major. */
  float[] values(String name, long[] shape);
}
