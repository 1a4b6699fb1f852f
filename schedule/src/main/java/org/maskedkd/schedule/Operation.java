package org.maskedkd.schedule;

/** What a device does with a micro-batch, or waits for. */
public enum Operation {
  /** The student hands patches to the teachers before its forward; no time of its own. */
  OFFER('O'),
  /**
   * Where the student itself is masked by attention: a forward of the whole images that only
   * chooses patches, right before the forward of the same micro-batch and part of it in every
   * schedule; in measured spans alone.
   */
  CHOOSE('C'),
  /** The student's forward, which hands patches over unless they were offered. */
  FORWARD('F'),
  /** The teacher's forward. */
  TEACHER('T'),
  /**
   * For the next step, by the weights of this one. The student's: a forward that only chooses
   * patches, and hands them over. In spans also the teacher's forward on patches so chosen, as long
   * as this step lasts. Its index is the next step's micro-batch.
   */
  LOOK_AHEAD('A'),
  /** The student's backward, which needs the signal of its micro-batch. */
  BACKWARD('B'),
  /**
   * Nothing goes on before the other side is through: for the student until every signal is there,
   * for the teachers until every micro-batch was forwarded. Has no index.
   */
  AWAIT('|'),
  /** The update of the weights, which ends a step. Has no index and stands in no list. */
  OPTIMIZER('U');

  private final char letter;

  Operation(char letter) {
    this.letter = letter;
  }

  /** In notation and drawings. */
  public char letter() {
    return letter;
  }

  /** Whether it belongs to one micro-batch. */
  public boolean hasIndex() {
    return this != AWAIT && this != OPTIMIZER;
  }
}
