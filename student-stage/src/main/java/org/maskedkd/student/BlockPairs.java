package org.maskedkd.student;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * Which blocks of the student are compared with which of the teacher, from 0 on; a list of pairs in
 * two lists of one length.
 */
record BlockPairs(List<Integer> student, List<Integer> teacher) {
  static final BlockPairs NONE = new BlockPairs(List.of(), List.of());

  /** Blocks at either end that are compared where nobody says which. */
  private static final int MOST_AT_AN_END = 4;

  BlockPairs {
    student = List.copyOf(student);
    teacher = List.copyOf(teacher);
  }

  /**
   * The pairs that are asked for.
   *
   * @throws IllegalArgumentException if the lists differ in length, or a model has no such block
   */
  static BlockPairs of(
      String key, List<Integer> student, List<Integer> teacher, int studentDepth, int depth) {
    if (student.size() != teacher.size()) {
      throw new IllegalArgumentException(
          "%s.student-blocks %s and %s.teacher-blocks %s are pairs: expected as many of both"
              .formatted(key, student, key, teacher));
    }
    within(key + ".student-blocks", student, studentDepth);
    within(key + ".teacher-blocks", teacher, depth);
    return new BlockPairs(student, teacher);
  }

  private static void within(String key, List<Integer> blocks, int depth) {
    for (int block : blocks) {
      if (block < 0 || block >= depth) {
        throw new IllegalArgumentException(
            "%s is %s, expected blocks of 0 to %d".formatted(key, blocks, depth - 1));
      }
    }
  }

  /** The first four with the first four, the last four with the last four, as far as there are. */
  static BlockPairs ends(int studentDepth, int teacherDepth) {
    int most = Math.min(studentDepth, teacherDepth);
    int each = Math.min(MOST_AT_AN_END, most / 2);
    List<Integer> student = new ArrayList<>();
    List<Integer> teacher = new ArrayList<>();
    for (int i = 0; i < each; i++) {
      student.add(i);
      teacher.add(i);
    }
    for (int i = Math.max(each, 1); i > 0; i--) {
      student.add(studentDepth - i);
      teacher.add(teacherDepth - i);
    }
    return new BlockPairs(student, teacher);
  }

  /** Every block of the student, each with the teacher's at the same share of the depth. */
  static BlockPairs all(int studentDepth, int teacherDepth) {
    List<Integer> student = new ArrayList<>();
    List<Integer> teacher = new ArrayList<>();
    for (int i = 0; i < studentDepth; i++) {
      student.add(i);
      teacher.add(((i + 1) * teacherDepth + studentDepth - 1) / studentDepth - 1);
    }
    return new BlockPairs(student, teacher);
  }

  int count() {
    return student.size();
  }

  /** The student's blocks, each once, ascending. */
  List<Integer> ofStudent() {
    return List.copyOf(new TreeSet<>(student));
  }

  /** The teacher's blocks, each once, ascending. */
  List<Integer> ofTeacher() {
    return List.copyOf(new TreeSet<>(teacher));
  }
}
