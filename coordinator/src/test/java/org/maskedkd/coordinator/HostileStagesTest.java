package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/** Stages whose answers are wrong in a field or two. */
class HostileStagesTest {
  @TempDir private Path folder;

  private static final double[] DOUBLES = {Double.NaN, Double.POSITIVE_INFINITY, -1, 0, 1e300};
  private static final long[] NUMBERS = {
    0, 1, -1, 2, 1000, Integer.MAX_VALUE, Integer.MIN_VALUE, Long.MAX_VALUE, Long.MIN_VALUE
  };

  private static void change(Message.Builder builder, Random random) {
    List<FieldDescriptor> fields =
        builder.getDescriptorForType().getFields().stream()
            .filter(f -> f.isRepeated() ? builder.getRepeatedFieldCount(f) > 0 : true)
            .filter(f -> f.getContainingOneof() == null || builder.hasField(f))
            .filter(f -> !f.isMapField())
            .toList();
    if (fields.isEmpty()) {
      return;
    }
    FieldDescriptor field = fields.get(random.nextInt(fields.size()));
    if (field.isRepeated()) {
      int place = random.nextInt(builder.getRepeatedFieldCount(field));
      Object old = builder.getRepeatedField(field, place);
      switch (random.nextInt(4)) {
        case 0 -> builder.clearField(field);
        case 1 -> builder.addRepeatedField(field, old);
        default -> builder.setRepeatedField(field, place, value(field, old, random));
      }
    } else if (random.nextInt(6) == 0) {
      builder.clearField(field);
    } else {
      builder.setField(field, value(field, builder.getField(field), random));
    }
  }

  private static Object value(FieldDescriptor field, Object old, Random random) {
    return switch (field.getJavaType()) {
      case MESSAGE -> {
        Message.Builder inner = ((Message) old).toBuilder();
        change(inner, random);
        yield inner.buildPartial();
      }
      case INT -> (int) NUMBERS[random.nextInt(NUMBERS.length)];
      case LONG -> NUMBERS[random.nextInt(NUMBERS.length)];
      case DOUBLE -> DOUBLES[random.nextInt(DOUBLES.length)];
      case FLOAT -> Float.NaN;
      case BOOLEAN -> !(Boolean) old;
      case STRING -> random.nextBoolean() ? "" : "logits";
      case ENUM -> field.getEnumType().findValueByNumberCreatingIfUnknown(random.nextInt(9));
      case BYTE_STRING ->
          ((ByteString) old).isEmpty() || random.nextBoolean()
              ? ByteString.copyFrom(new byte[random.nextInt(64)])
              : ((ByteString) old).substring(random.nextInt(((ByteString) old).size()));
    };
  }

  private static <T extends Message> T changed(T message, Random random) {
    Message.Builder builder = message.toBuilder();
    change(builder, random);
    @SuppressWarnings("unchecked") // A builder gives messages of its own type.
    T changed = (T) builder.buildPartial();
    return changed;
  }

  /** A run whose stages now and then answer something else; it must end, and its lines be right. */
  private void run(long seed) {
    Random random = new Random(seed);
    boolean student = random.nextBoolean();
    AtomicInteger calm = new AtomicInteger(random.nextInt(60));
    Path path = folder.resolve("run-" + seed);
    try (House house = new House(path, 1)) {
      house.studentSilence = Duration.ofMillis(300);
      house.laterAnswer = Duration.ofMillis(300);
      house.student.sending =
          event ->
              student && calm.getAndDecrement() == 0
                  ? sent(changed(event, random), event, random)
                  : List.of(event);
      house.teachers.get(0).answering =
          (signal, out) ->
              out.onNext(
                  !student && calm.getAndDecrement() == 0
                      ? (TeacherSignal) changed(signal, random)
                      : signal);
      ExitCode code;
      try {
        code = house.train();
      } catch (RunException e) {
        assertThat(e.getMessage()).as("seed %d", seed).isNotBlank();
        code = e.exitCode();
      }
      assertThat(code).as("seed %d", seed).isNotNull();
      List<StepLine> lines = lines(path);
      for (int i = 0; i < lines.size(); i++) {
        StepLine line = lines.get(i);
        assertThat(line.step()).as("seed %d", seed).isEqualTo(i + 1);
        assertThat(line.loss()).as("seed %d", seed).isFinite();
        assertThat(line.images()).as("seed %d", seed).isEqualTo(House.BATCH);
      }
    }
  }

  private static List<StudentEvent> sent(StudentEvent wrong, StudentEvent right, Random random) {
    return switch (random.nextInt(4)) {
      case 0 -> List.of(wrong, right);
      case 1 -> List.of(right, right);
      case 2 -> List.of();
      default -> List.of(wrong);
    };
  }

  private static List<StepLine> lines(Path path) {
    if (!RunDirectory.exists(path)) {
      return List.of();
    }
    try (RunDirectory directory = RunDirectory.resume(path)) {
      return directory.steps();
    }
  }

  @Test
  @Timeout(120)
  void train_wrongAnswers60Seeds_endsAndCommitsOnlyWhatAddsUp() {
    for (long seed = 1; seed <= 60; seed++) {
      run(seed);
    }
  }

  @Test
  @Tag("soak")
  @Timeout(3600)
  void train_wrongAnswers2000Seeds_endsAndCommitsOnlyWhatAddsUp() {
    long first = System.nanoTime();
    System.out.println("seeds from " + first);
    for (long seed = first; seed < first + 2000; seed++) {
      run(seed);
    }
  }
}
