package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class PrefetcherTest {
  private static final Augment EVERYTHING =
      Augment.cropsAndFlips(1).withMixing(0.8, 1, 0.9, 0.5).withErasing(0.5, 0.1);

  /** Twenty images, each made when it is asked for. */
  private record Made(IntFunction<Image> make) implements ImageSource {
    @Override
    public int size() {
      return 20;
    }

    @Override
    public List<String> classes() {
      return List.of("a", "b");
    }

    @Override
    public int label(int index) {
      return index / 10;
    }

    @Override
    public String name(int index) {
      return "image " + index;
    }

    @Override
    public long bytes(int index) {
      return 1;
    }

    @Override
    public Image decode(int index) {
      return make.apply(index);
    }

    @Override
    public void close() {}
  }

  private static TrainBatches batches(IntFunction<Image> make) {
    return new TrainBatches(
        new Made(make), 5, 16, EVERYTHING, TestImages.MEAN, TestImages.STD, 0, 77);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void take_anyNumberOfWorkersAndAnyJump_isTheBatchOfTheStep(int workers)
      throws InterruptedException {
    TrainBatches alone = batches(i -> TestImages.indexed(18, 25, i));

    try (Prefetcher prefetcher =
        new Prefetcher(batches(i -> TestImages.indexed(18, 25, i)), workers, 2, Turns.always())) {
      for (long step : new long[] {1, 2, 3, 9, 10, 4, 6, 6}) {
        BatchesTest.assertSame(prefetcher.take(step), alone.batch(step));
      }
    }
  }

  @Test
  void take_evaluation_endsWithTheLastStep() throws InterruptedException {
    EvalBatches eval = new EvalBatches(new Made(i -> TestImages.indexed(16, 16, i)), 8, 16, 1);

    try (Prefetcher prefetcher = new Prefetcher(eval, 2, 4, Turns.always())) {
      assertThat(prefetcher.take(1).count()).isEqualTo(8);
      assertThat(prefetcher.take(2).count()).isEqualTo(8);
      assertThat(prefetcher.take(3).count()).isEqualTo(4);
      assertThatThrownBy(() -> prefetcher.take(4)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void take_damagedImage_isThatStepsErrorOnly() throws InterruptedException {
    TrainBatches alone = batches(i -> TestImages.indexed(16, 16, i));
    int damaged = alone.batch(2).indices()[3];
    TrainBatches failing =
        batches(
            i -> {
              if (i == damaged) {
                throw new CorruptImageException("image " + i, "is damaged");
              }
              return TestImages.indexed(16, 16, i);
            });

    try (Prefetcher prefetcher = new Prefetcher(failing, 2, 2, Turns.always())) {
      BatchesTest.assertSame(prefetcher.take(1), alone.batch(1));
      assertThatThrownBy(() -> prefetcher.take(2))
          .isInstanceOf(DataException.class)
          .hasMessageContaining("step 2: image " + damaged + ": is damaged");
      BatchesTest.assertSame(prefetcher.take(3), alone.batch(3));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void take_takerOnTheOnlyCore_isTheBatchOfTheStep(int workers) throws InterruptedException {
    TrainBatches alone = batches(i -> TestImages.indexed(16, 16, i));
    Turns turns = new Turns(/* alternate= */ true);
    try (Prefetcher prefetcher =
        new Prefetcher(batches(i -> TestImages.indexed(16, 16, i)), workers, 2, turns)) {
      for (long step : new long[] {1, 2, 3, 9, 4, 4}) {
        BatchesTest.assertSame(prefetcher.take(step), alone.batch(step));
      }
    }
  }

  @Test
  void await_takerWorks_returnsOnceItWaits() throws Exception {
    Turns turns = new Turns(/* alternate= */ true);
    turns.takerWorks(true);
    CompletableFuture<Void> passed =
        CompletableFuture.runAsync(
            () -> {
              try {
                turns.await(() -> false);
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
            },
            work -> new Thread(work).start());
    assertThat(passed).isNotDone();

    String waitedFor = turns.during(() -> passed.thenApply(none -> "its turn").get());

    assertThat(waitedFor).isEqualTo("its turn");
    Turns free = Turns.always();
    free.takerWorks(true);
    free.await(() -> false);
  }

  @Test
  void await_workDroppedMeanwhile_returnsAlthoughTheTakerWorks() throws Exception {
    Turns turns = new Turns(/* alternate= */ true);
    turns.takerWorks(true);
    AtomicBoolean dropped = new AtomicBoolean();
    CompletableFuture<Boolean> passed =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                turns.await(dropped::get);
                return dropped.get();
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
            },
            work -> new Thread(work).start());
    dropped.set(true);
    turns.recheck();
    assertThat(passed.get(50, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void close_whileAStepIsAwaited_wakesTheOneWhoWaits() throws Exception {
    CountDownLatch decoding = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    TrainBatches slow =
        batches(
            i -> {
              decoding.countDown();
              try {
                assertThat(goOn.await(50, TimeUnit.SECONDS)).isTrue();
              } catch (InterruptedException e) {
                throw new DataException("interrupted", e);
              }
              return TestImages.indexed(16, 16, i);
            });
    Prefetcher prefetcher = new Prefetcher(slow, 1, 1, Turns.always());
    CompletableFuture<Batch> waiting =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return prefetcher.take(1);
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    decoding.await();

    CompletableFuture<Void> closing = CompletableFuture.runAsync(prefetcher::close);

    assertThatThrownBy(() -> waiting.get(50, TimeUnit.SECONDS))
        .isInstanceOf(ExecutionException.class)
        .hasRootCauseInstanceOf(java.util.concurrent.CancellationException.class);
    goOn.countDown();
    closing.get(50, TimeUnit.SECONDS);
    assertThatThrownBy(() -> prefetcher.take(2)).isInstanceOf(IllegalStateException.class);
  }
}
