package org.maskedkd.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", algorithm 2), fused over
 * all parameters of a group:
 *
 * <pre>
 * p ← p·(1 − lr·decay)
 * m ← β1·m + (1 − β1)·g        v ← β2·v + (1 − β2)·g²
 * p ← p − lr·(m/(1 − β1ᵗ)) / (√(v/(1 − β2ᵗ)) + ε)
 * </pre>
 *
 * <p>One thread at a time.
 */
public final class AdamW implements AutoCloseable {

  /**
   * Parameters that share a weight decay and a share of the learning rate.
   *
   * @param rateScale what the learning rate is multiplied with
   */
  public record Group(List<NDArray> parameters, double weightDecay, double rateScale) {
    public Group {
      parameters = List.copyOf(parameters);
    }

    /** With the whole learning rate. */
    public Group(List<NDArray> parameters, double weightDecay) {
      this(parameters, weightDecay, 1);
    }
  }

  private final List<GroupState> groups = new ArrayList<>();
  private final List<NDArray> parameters = new ArrayList<>();
  private final List<NDArray> firstMoments = new ArrayList<>();
  private final List<NDArray> secondMoments = new ArrayList<>();
  private final NDManager manager = Torch.manager().newSubManager();
  private final double beta1;
  private final double beta2;
  private final double eps;
  private @Nullable Gradients bound;
  private long steps;

  /**
   * @param groups float32 parameters, each in one group only; they stay the caller's
   */
  public AdamW(List<Group> groups, double beta1, double beta2, double eps) {
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.eps = eps;
    IdentityHashMap<NDArray, Boolean> seen = new IdentityHashMap<>();
    for (Group group : groups) {
      for (NDArray parameter : group.parameters()) {
        if (seen.put(parameter, true) != null) {
          throw new IllegalArgumentException("a parameter stands in two places of the groups");
        }
        if (parameter.getDataType() != DataType.FLOAT32) {
          throw new IllegalArgumentException(
              "AdamW takes float32 parameters, found " + parameter.getDataType());
        }
      }
      if (!group.parameters().isEmpty()) {
        this.groups.add(new GroupState(group));
      }
    }
  }

  /** What libtorch takes for one group, in lists that are made once. */
  private final class GroupState {
    final Group group;
    final NDArray step;
    final Script.TensorList parameterList;
    final Script.TensorList firstList;
    final Script.TensorList secondList;
    final Script.TensorList stepList;
    Script.@Nullable TensorList gradientList;

    GroupState(Group group) {
      this.group = group;
      int from = parameters.size();
      parameters.addAll(group.parameters());
      for (NDArray parameter : group.parameters()) {
        long[] shape = parameter.getShape().getShape();
        firstMoments.add(Scope.release(Tensors.zeros(manager, shape)));
        secondMoments.add(Scope.release(Tensors.zeros(manager, shape)));
      }
      step = Scope.release(Tensors.zeros(manager));
      parameterList = new Script.TensorList(group.parameters());
      firstList = new Script.TensorList(firstMoments.subList(from, firstMoments.size()));
      secondList = new Script.TensorList(secondMoments.subList(from, secondMoments.size()));
      List<NDArray> shared = new ArrayList<>();
      group.parameters().forEach(parameter -> shared.add(step));
      stepList = new Script.TensorList(shared);
    }

    void bind(IdentityHashMap<NDArray, NDArray> gradientOf) {
      List<NDArray> gradients = new ArrayList<>();
      for (NDArray parameter : group.parameters()) {
        NDArray gradient = gradientOf.get(parameter);
        if (gradient == null) {
          throw new IllegalArgumentException(
              "the gradients hold none for a parameter of shape " + parameter.getShape());
        }
        gradients.add(gradient);
      }
      if (gradientList != null) {
        gradientList.close();
      }
      gradientList = new Script.TensorList(gradients);
    }

    void close() {
      parameterList.close();
      firstList.close();
      secondList.close();
      stepList.close();
      if (gradientList != null) {
        gradientList.close();
      }
    }
  }

  /**
   * Moves every parameter once.
   *
   * @param gradients must cover all parameters of the groups, in any order
   */
  public void step(Gradients gradients, double learningRate) {
    bind(gradients);
    for (GroupState state : groups) {
      Script.TensorList gradientList = state.gradientList;
      if (gradientList == null) {
        throw new IllegalStateException("a group has no gradients bound");
      }
      Script.update(
          "adamw",
          state.parameterList,
          gradientList,
          state.firstList,
          state.secondList,
          state.stepList,
          learningRate * state.group.rateScale(),
          beta1,
          beta2,
          state.group.weightDecay(),
          eps);
    }
    steps++;
  }

  private void bind(Gradients gradients) {
    if (bound == gradients) {
      return;
    }
    IdentityHashMap<NDArray, NDArray> gradientOf = new IdentityHashMap<>();
    for (int i = 0; i < gradients.parameters().size(); i++) {
      gradientOf.put(gradients.parameters().get(i), gradients.of(i));
    }
    for (GroupState state : groups) {
      state.bind(gradientOf);
    }
    bound = gradients;
  }

  /** The parameters in the order of the moments: group after group. */
  public List<NDArray> parameters() {
    return List.copyOf(parameters);
  }

  /** Running means of the gradients, in the order of {@link #parameters}; owned by this object. */
  public List<NDArray> firstMoments() {
    return List.copyOf(firstMoments);
  }

  /** Running means of their squares, in the same order; owned by this object. */
  public List<NDArray> secondMoments() {
    return List.copyOf(secondMoments);
  }

  /** Steps taken, restored ones included. */
  public long steps() {
    return steps;
  }

  /**
   * Continues where another optimizer stood; the values are copied.
   *
   * @param first in the order of {@link #parameters}
   * @param second in the same order
   */
  public void restore(List<NDArray> first, List<NDArray> second, long steps) {
    if (first.size() != parameters.size() || second.size() != parameters.size() || steps < 0) {
      throw new IllegalArgumentException(
          String.format(
              "state of %d and %d moments after %d steps does not fit %d parameters",
              first.size(), second.size(), steps, parameters.size()));
    }
    for (int i = 0; i < parameters.size(); i++) {
      Tensors.copyInto(firstMoments.get(i), first.get(i));
      Tensors.copyInto(secondMoments.get(i), second.get(i));
    }
    for (GroupState state : groups) {
      Script.update("fill", state.step, (double) steps);
    }
    this.steps = steps;
  }

  /** Frees the moments; parameters and gradients stay. */
  @Override
  public void close() {
    groups.forEach(GroupState::close);
    manager.close();
  }
}
