package org.maskedkd.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.ArrayList;
import java.util.List;

/**
 * Exponential moving averages of parameters: {@code average ← decay·average + (1 − decay)·p},
 * starting from the parameters as they are. One thread at a time.
 */
public final class Ema implements AutoCloseable {
  private final NDManager manager = Torch.manager().newSubManager();
  private final List<NDArray> averages;
  private final Script.TensorList averageList;
  private final Script.TensorList parameterList;
  private final double decay;

  /**
   * @param parameters stay the caller's
   * @param decay from 0 to 1
   */
  public Ema(List<NDArray> parameters, double decay) {
    if (!(decay >= 0 && decay <= 1)) {
      throw new IllegalArgumentException("decay (" + decay + ") must lie between 0 and 1");
    }
    this.decay = decay;
    List<NDArray> copies = new ArrayList<>();
    for (NDArray parameter : parameters) {
      NDArray copy = Tensors.zeros(manager, parameter.getShape().getShape());
      Tensors.copyInto(copy, parameter);
      copies.add(Scope.release(copy));
    }
    averages = List.copyOf(copies);
    averageList = new Script.TensorList(averages);
    parameterList = new Script.TensorList(parameters);
  }

  public void update() {
    Script.update("lerp", averageList, parameterList, 1 - decay);
  }

  /**
   * The averages in the order of the parameters, owned by this object; {@link Tensors#copyInto}
   * restores them.
   */
  public List<NDArray> averages() {
    return averages;
  }

  /** Frees the averages; the parameters stay. */
  @Override
  public void close() {
    averageList.close();
    parameterList.close();
    manager.close();
  }
}
