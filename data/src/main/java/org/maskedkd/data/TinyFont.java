package org.maskedkd.data;

import java.awt.image.BufferedImage;
import java.util.Locale;

/**
 * Letters of three by five dots: machines that train often have no fonts, and Java's text drawing
 * fails without.
 */
final class TinyFont {
  private static final int DOT = 2;
  private static final int ADVANCE = 4 * DOT;
  static final int HEIGHT = 5 * DOT;

  private static final String CHARACTERS = " ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:%=,";

  /** Five rows of three dots for each character, a row being one octal digit. */
  private static final String ROWS =
      "00000" + "25755" + "65656" + "34443" + "65556" + "74647" + "74644" + "34553" + "55755"
          + "72227" + "11152" + "55655" + "44447" + "57755" + "65555" + "25552" + "65644" + "25573"
          + "65655" + "34216" + "72222" + "55557" + "55552" + "55775" + "55255" + "55222" + "71247"
          + "75557" + "26227" + "61247" + "71317" + "55711" + "74616" + "74757" + "71122" + "75757"
          + "75716" + "00700" + "00002" + "00007" + "11244" + "02020" + "51245" + "07070" + "00024";

  private TinyFont() {}

  static void draw(String text, BufferedImage onto, int left, int top, int maxWidth, int color) {
    String upper = text.toUpperCase(Locale.ROOT);
    int fitting = Math.min(upper.length(), Math.max(0, (maxWidth + DOT) / ADVANCE));
    for (int i = 0; i < fitting; i++) {
      int character = Math.max(0, CHARACTERS.indexOf(upper.charAt(i)));
      for (int dot = 0; dot < 15; dot++) {
        int row = ROWS.charAt(character * 5 + dot / 3) - '0';
        if ((row >> (2 - dot % 3) & 1) == 1) {
          square(onto, left + i * ADVANCE + dot % 3 * DOT, top + dot / 3 * DOT, color);
        }
      }
    }
  }

  private static void square(BufferedImage onto, int left, int top, int color) {
    for (int i = 0; i < DOT * DOT; i++) {
      onto.setRGB(left + i % DOT, top + i / DOT, color);
    }
  }
}
