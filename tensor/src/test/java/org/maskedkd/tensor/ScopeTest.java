package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

class ScopeTest {
  @Test
  void close_arraysOfALongLivedManager_areFreedButTheKeptOne() {
    try (NDManager manager = Torch.manager().newSubManager()) {
      NDArray parameter = Tensors.zeros(manager, 4, 4);
      int before = manager.getManagedArrays().size();
      NDArray kept;
      NDArray freed;
      try (Scope scope = Scope.open()) {
        // The first operand is the parameter: the results attach to its manager.
        freed = Ops.gelu(parameter.add(1));
        kept = scope.keep(parameter.add(2));
        assertThat(manager.getManagedArrays().size()).isEqualTo(before + 3);
      }
      assertThat(manager.getManagedArrays().size()).isEqualTo(before + 1);
      assertThat(Tensors.floats(kept)).containsOnly(2);
      assertThatThrownBy(() -> Tensors.floats(freed)).isInstanceOf(IllegalStateException.class);
      kept.close();
    }
  }

  @Test
  void keep_arrayOfTheScopesOwnManager_outlivesTheScope() {
    NDArray kept;
    try (Scope scope = Scope.open()) {
      kept = scope.keep(Tensors.of(scope.manager(), new float[] {1, 2}, 2));
    }
    assertThat(Tensors.floats(kept)).containsExactly(1, 2);
    kept.close();
  }

  @Test
  void close_insideAnother_leavesTheOuterScopesArrays() {
    try (Scope outer = Scope.open()) {
      NDArray before = Tensors.of(outer.manager(), new float[] {1}, 1);
      NDArray inside;
      try (Scope inner = Scope.open()) {
        inside = before.add(1);
        assertThat(inner.manager()).isNotSameAs(outer.manager());
      }
      assertThat(Tensors.floats(before)).containsExactly(1);
      assertThatThrownBy(() -> Tensors.floats(inside)).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void close_beforeBackward_keepsWhatTheGraphNeeds() {
    try (Scope outer = Scope.open();
        GradMode on = GradMode.on()) {
      NDArray w = Tensors.requireGradient(Tensors.of(outer.manager(), new float[] {2, 3}, 2));
      try (Gradients gradients = new Gradients(List.of(w))) {
        NDArray cotangent = Tensors.of(outer.manager(), new float[] {1, 1}, 2);
        NDArray y;
        try (Scope inner = Scope.open()) {
          y = inner.keep(w.mul(w).mul(w));
        }
        Gradients.backward(y, cotangent);
        y.close();
        assertThat(Tensors.floats(gradients.of(0))).containsExactly(12, 27);
      }
    }
  }

  @Test
  void manager_ofAnotherThread_isRefused() throws Exception {
    try (Scope scope = Scope.open()) {
      assertThatThrownBy(() -> CompletableFuture.supplyAsync(scope::manager).get())
          .isInstanceOf(ExecutionException.class)
          .hasRootCauseInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void gradMode_newThread_isWhatWasAskedAndRestoredAfterwards() throws Exception {
    try (Scope scope = Scope.open()) {
      NDArray w = Tensors.requireGradient(Tensors.zeros(scope.manager(), 2));
      var executor = Executors.newSingleThreadExecutor();
      try {
        List<Boolean> recorded =
            executor
                .submit(
                    () -> {
                      boolean before = GradMode.isOn();
                      boolean off;
                      boolean on;
                      try (Scope inner = Scope.open();
                          GradMode mode = GradMode.off()) {
                        off = Tensors.isRecorded(Ops.gelu(w));
                        try (GradMode nested = GradMode.on()) {
                          on = Tensors.isRecorded(Ops.gelu(w));
                        }
                        assertThat(GradMode.isOn()).isFalse();
                      }
                      assertThat(GradMode.isOn()).isEqualTo(before);
                      return List.of(off, on);
                    })
                .get();
        assertThat(recorded).containsExactly(false, true);
      } finally {
        executor.shutdown();
      }
    }
  }
}
