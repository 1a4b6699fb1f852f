package org.maskedkd.cli;

import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Makes messages wrong: mostly in one field, sometimes in their bytes. */
final class Mutator {
  private static final long[] NUMBERS = {
    0,
    1,
    -1,
    2,
    3,
    7,
    12,
    13,
    100,
    65_536,
    1L << 20,
    Integer.MAX_VALUE,
    Integer.MIN_VALUE,
    Long.MAX_VALUE,
    Long.MIN_VALUE
  };

  private static final double[] DOUBLES = {
    Double.NaN,
    Double.POSITIVE_INFINITY,
    Double.NEGATIVE_INFINITY,
    Double.MAX_VALUE,
    Double.MIN_VALUE,
    -1,
    -0.0,
    0,
    0.5,
    1,
    1.5
  };

  private static final List<String> TEXTS =
      List.of(
          "",
          "x",
          "/etc/passwd",
          "../../etc/passwd",
          "/dev/zero",
          "a\nb\0c",
          "%s%n%d",
          "\ud83d\ude00".repeat(50),
          "y".repeat(5000),
          "vit:image=4096,patch=1,width=65536,depth=1000,heads=1,classes=10",
          "vit:image=16,patch=4,width=2147483647,depth=2147483647,heads=1,classes=3",
          "vit:image=16,patch=4,width=16,depth=2,heads=2,classes=3,channels=1",
          "generated:classes=3,images=2000000000,size=16,patch=4,seed=1,split=train",
          "generated:classes=3,images=3,size=1024,patch=64,seed=1,split=train",
          "eager",
          "fill-drain",
          "..safetensors",
          "logits_gradient",
          "kept_indices");

  private final Random random;

  Mutator(Random random) {
    this.random = random;
  }

  /** The bytes of something like {@code valid}. */
  byte[] mutate(Message valid) {
    byte[] bytes = valid.toByteArray();
    return switch (random.nextInt(12)) {
      case 0 -> noise(random.nextInt(200));
      case 1 -> flipped(bytes);
      case 2 -> Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
      case 3 -> random.nextInt(20) == 0 ? crowd() : flipped(bytes);
      default -> changed(valid).toByteArray();
    };
  }

  /** {@code valid} with one to three fields that are different. */
  Message changed(Message valid) {
    Message.Builder builder = valid.toBuilder();
    for (int i = 1 + random.nextInt(3); i > 0; i--) {
      change(builder);
    }
    return builder.buildPartial();
  }

  private byte[] noise(int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  private byte[] flipped(byte[] bytes) {
    byte[] flipped = bytes.clone();
    for (int i = random.nextInt(4); i >= 0 && flipped.length > 0; i--) {
      // What comes first says what the rest is.
      int place =
          random.nextInt(random.nextBoolean() ? flipped.length : Math.min(40, flipped.length));
      flipped[place] ^= (byte) (1 << random.nextInt(8));
    }
    return flipped;
  }

  /** Many empty messages, or a length that is not there. */
  private byte[] crowd() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    int tag = (1 + random.nextInt(12)) << 3 | 2;
    int count = random.nextInt(3) == 0 ? 500_000 : 1000;
    for (int i = 0; i < count; i++) {
      bytes.write(tag);
      bytes.write(0);
    }
    bytes.write(tag);
    bytes.writeBytes(new byte[] {(byte) 0xff, (byte) 0xff, (byte) 0xff, (byte) 0xff, 7});
    return bytes.toByteArray();
  }

  private void change(Message.Builder builder) {
    List<FieldDescriptor> fields = builder.getDescriptorForType().getFields();
    if (fields.isEmpty()) {
      return;
    }
    FieldDescriptor field = fields.get(random.nextInt(fields.size()));
    boolean set =
        field.isRepeated() ? builder.getRepeatedFieldCount(field) > 0 : builder.hasField(field);
    for (int i = 0; i < 3 && !set && field.getContainingOneof() != null; i++) {
      // Most of a command is in the one of its kinds that it is.
      field = fields.get(random.nextInt(fields.size()));
      set = !field.isRepeated() && builder.hasField(field);
    }
    if (field.isMapField()) {
      builder.clearField(field);
    } else if (field.isRepeated()) {
      changeList(builder, field);
    } else if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
      if (random.nextInt(10) == 0) {
        builder.clearField(field);
      } else {
        Message.Builder inner = ((Message) builder.getField(field)).toBuilder();
        change(inner);
        builder.setField(field, inner.buildPartial());
      }
    } else if (random.nextInt(5) == 0) {
      builder.clearField(field);
    } else {
      builder.setField(field, value(field, builder.getField(field)));
    }
  }

  private void changeList(Message.Builder builder, FieldDescriptor field) {
    int count = builder.getRepeatedFieldCount(field);
    if (count == 0 || random.nextInt(6) == 0) {
      boolean message = field.getJavaType() == FieldDescriptor.JavaType.MESSAGE;
      Object added =
          message ? builder.newBuilderForField(field).buildPartial() : value(field, zero(field));
      for (int i = random.nextInt(20) == 0 ? 5000 : 1; i > 0; i--) {
        builder.addRepeatedField(field, added);
      }
      return;
    }
    int place = random.nextInt(count);
    Object old = builder.getRepeatedField(field, place);
    switch (random.nextInt(5)) {
      case 0 -> builder.clearField(field);
      case 1 -> builder.addRepeatedField(field, old);
      case 2 -> {
        Object other = builder.getRepeatedField(field, random.nextInt(count));
        builder.setRepeatedField(field, place, other);
      }
      default -> {
        if (old instanceof Message message) {
          Message.Builder inner = message.toBuilder();
          change(inner);
          builder.setRepeatedField(field, place, inner.buildPartial());
        } else {
          builder.setRepeatedField(field, place, value(field, old));
        }
      }
    }
  }

  private static Object zero(FieldDescriptor field) {
    return switch (field.getJavaType()) {
      case INT -> 0;
      case LONG -> 0L;
      case FLOAT -> 0f;
      case DOUBLE -> 0d;
      case BOOLEAN -> false;
      case STRING -> "";
      case ENUM -> field.getEnumType().getValues().get(0);
      case BYTE_STRING -> ByteString.EMPTY;
      case MESSAGE -> throw new IllegalArgumentException(field + " is a message");
    };
  }

  private Object value(FieldDescriptor field, Object old) {
    return switch (field.getJavaType()) {
      case INT -> (int) number(((Integer) old).longValue());
      case LONG -> number((Long) old);
      case FLOAT -> (float) DOUBLES[random.nextInt(DOUBLES.length)];
      case DOUBLE -> DOUBLES[random.nextInt(DOUBLES.length)];
      case BOOLEAN -> !(Boolean) old;
      case STRING -> TEXTS.get(random.nextInt(TEXTS.size()));
      case ENUM -> field.getEnumType().findValueByNumberCreatingIfUnknown(random.nextInt(12) - 2);
      case BYTE_STRING -> bytes((ByteString) old);
      case MESSAGE -> throw new IllegalArgumentException(field + " is a message");
    };
  }

  private long number(long old) {
    return switch (random.nextInt(4)) {
      case 0 -> old + 1;
      case 1 -> old - 1;
      default -> NUMBERS[random.nextInt(NUMBERS.length)];
    };
  }

  private ByteString bytes(ByteString old) {
    return switch (random.nextInt(6)) {
      case 0 -> ByteString.EMPTY;
      case 1 -> old.isEmpty() ? old : old.substring(1);
      case 2 -> old.concat(ByteString.copyFrom("x", StandardCharsets.UTF_8));
      case 3 -> old.concat(old);
      case 4 -> ByteString.copyFrom(new byte[random.nextInt(20) == 0 ? 1 << 20 : 64]);
      default -> ByteString.copyFrom(noise(old.size()));
    };
  }
}
