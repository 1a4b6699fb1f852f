package org.maskedkd.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * Images drawn by a seeded program, for demos and tests without a download: textured ground, blobs
 * and strokes common to all classes, and one small figure that alone tells the class. It covers
 * about two by two patches at a random place, so that most of an image does not matter and a good
 * mask is one that finds the figure.
 *
 * <p>An image is a pure function of (seed, split, class, number within the class): a larger set
 * begins with the smaller one's images.
 */
public final class GeneratedImages implements ImageSource {
  /** Part of the fingerprint; goes up when the same spec gives other pixels. */
  private static final int VERSION = 1;

  private final GeneratedSpec spec;
  private final List<Motif> motifs;

  public GeneratedImages(GeneratedSpec spec) {
    this.spec = spec;
    this.motifs =
        Arrays.stream(Motif.values())
            .limit(spec.classes())
            .sorted(Comparator.comparing(GeneratedImages::className))
            .toList();
  }

  private static String className(Motif motif) {
    return motif.name().toLowerCase(Locale.ROOT);
  }

  @Override
  public int size() {
    return spec.images();
  }

  @Override
  public List<String> classes() {
    return motifs.stream().map(GeneratedImages::className).toList();
  }

  @Override
  public int label(int index) {
    return (int) ((long) index * spec.classes() / spec.images());
  }

  @Override
  public String name(int index) {
    int label = label(index);
    return "%s/%06d.png".formatted(className(motifs.get(label)), ordinal(index, label));
  }

  @Override
  public long bytes(int index) {
    return 3L * spec.size() * spec.size();
  }

  @Override
  public Image decode(int index) {
    int label = label(index);
    int split = spec.split().equals("train") ? 0 : 1;
    Motif motif = motifs.get(label);
    Draws draws =
        Draws.of(spec.seed(), Draws.Stream.PICTURE, split, motif.ordinal(), ordinal(index, label));
    return paint(motif, draws);
  }

  /** Number within the class, from 0. */
  private int ordinal(int index, int label) {
    int first = (int) (((long) label * spec.images() + spec.classes() - 1) / spec.classes());
    return index - first;
  }

  private Image paint(Motif motif, Draws draws) {
    int size = spec.size();
    double unit = spec.patch() / 4.0;
    Canvas canvas = new Canvas(size);
    double[] ground = color(draws, 0.15, 0.6);
    canvas.background(
        ground,
        near(draws, ground, 0.2),
        draws.uniform(0, 2 * Math.PI),
        draws.uniform(3, 12) * unit,
        draws.uniform(0.01, 0.05),
        draws.uniform(0, Math.PI));
    int clutter = (int) Math.round(draws.uniform(4, 8) * size * size / (1024.0 * unit * unit));
    for (int i = 0; i < clutter; i++) {
      distract(canvas, draws, unit);
    }
    figure(canvas, motif, draws);
    return canvas.finish(draws, draws.uniform(0.02, 0.05));
  }

  private void distract(Canvas canvas, Draws draws, double unit) {
    boolean stroke = draws.chance(0.6);
    double halfWidth = unit * (stroke ? draws.uniform(2, 6) : draws.uniform(1.2, 3));
    double halfHeight = unit * (stroke ? draws.uniform(0.5, 0.9) : draws.uniform(1.2, 3));
    Canvas.Figure figure = stroke ? (x, y) -> true : (x, y) -> x * x + y * y < 1;
    canvas.draw(
        figure,
        draws.uniform(0, spec.size()),
        draws.uniform(0, spec.size()),
        halfWidth,
        halfHeight,
        draws.uniform(0, Math.PI),
        dull(color(draws, 0.05, 0.75)),
        draws.uniform(0.3, 0.8));
  }

  /** Near the corner of four patches and brighter than the ground. */
  private void figure(Canvas canvas, Motif motif, Draws draws) {
    int patch = spec.patch();
    int corners = spec.size() / patch - 1;
    double half = patch * draws.uniform(0.85, 1.1);
    double x = patch * (1 + draws.below(corners) + draws.uniform(-0.3, 0.3));
    double y = patch * (1 + draws.below(corners) + draws.uniform(-0.3, 0.3));
    double bright = canvas.brightness(x, y, half) + draws.uniform(0.25, 0.5);
    double[] color = tint(motif, draws);
    double shift = bright - Canvas.luma(color[0], color[1], color[2]);
    for (int c = 0; c < 3; c++) {
      color[c] = Math.max(0, Math.min(1, color[c] + shift));
    }
    double mirror = draws.chance(0.5) ? -1 : 1;
    canvas.draw(
        (u, v) -> motif.covers(mirror * u, v),
        x,
        y,
        half,
        half,
        draws.uniform(-0.2, 0.2),
        color,
        draws.uniform(0.8, 1));
  }

  private static double[] color(Draws draws, double low, double high) {
    return new double[] {
      draws.uniform(low, high), draws.uniform(low, high), draws.uniform(low, high)
    };
  }

  /**
   * A figure's colour, around a hue of its class: by shape alone a small transformer would need
   * hundreds of epochs.
   */
  private static double[] tint(Motif motif, Draws draws) {
    double hue = motif.ordinal() / (double) Motif.values().length + draws.uniform(-0.07, 0.07);
    double[] color = new double[3];
    for (int c = 0; c < 3; c++) {
      color[c] = 0.5 + draws.uniform(0.2, 0.4) * Math.cos(2 * Math.PI * (hue - c / 3.0));
    }
    return color;
  }

  /** Half way to grey, so that clutter does not pass for a figure. */
  private static double[] dull(double[] color) {
    double grey = Canvas.luma(color[0], color[1], color[2]);
    return Arrays.stream(color).map(c -> (c + grey) / 2).toArray();
  }

  private static double[] near(Draws draws, double[] color, double distance) {
    double[] other = color.clone();
    for (int c = 0; c < 3; c++) {
      other[c] = Math.max(0, Math.min(1, other[c] + draws.uniform(-distance, distance)));
    }
    return other;
  }

  /**
   * Writes every image as PNG into class folders under {@code folder}.
   *
   * @throws DataException when it cannot be written
   */
  public void writeTo(Path folder) {
    try {
      for (int i = 0; i < size(); i++) {
        Path file = folder.resolve(name(i));
        Files.createDirectories(file.resolveSibling(""));
        Pictures.writePng(decode(i), file);
      }
    } catch (IOException e) {
      throw new DataException("cannot write images into " + folder + ": " + e, e);
    }
  }

  @Override
  public String fingerprint() {
    return Digests.derived(spec + ",version=" + VERSION, Digests.of(this));
  }

  @Override
  public void close() {}
}
