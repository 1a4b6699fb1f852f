package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** F 1, T 4, B 2 in two halves, four columns for half a forward. */
class DrawingTest {

  private static String drawing(Order order, int window) {
    Schedule schedule = SchedulePlanner.plan(order, List.of(4, 4), window, 1);
    Simulation simulation = Simulator.run(schedule, Costs.ideal(8, 1, 4, 2), List.of(1.0));
    return Action.format(schedule.student())
        + "\n"
        + Action.format(schedule.teachers())
        + "\n"
        + TextDrawing.draw(StepPicture.of("", simulation), (int) (8 * simulation.step()));
  }

  @Test
  void draw_sequential_isOneDeviceAtATime() {
    assertThat(drawing(Order.SEQUENTIAL, 8))
        .isEqualTo(
            """
            F0 B0 F1 B1
            T0 T1
            student  F0--................B0------F1--................B1------
            teacher  ....T0--------------............T1--------------........
            """);
  }

  @Test
  void draw_concurrentFull_beginsTogether() {
    assertThat(drawing(Order.CONCURRENT_FULL, 8))
        .isEqualTo(
            """
            O0 O1 F0 F1 B0 B1
            T0 T1
            student  F0--F1--........B0------........B1------
            teacher  T0--------------T1--------------........
            """);
  }

  @Test
  void draw_maskedWhole_waitsForTheWholeBatchTwice() {
    assertThat(drawing(Order.MASKED_WHOLE, 8))
        .isEqualTo(
            """
            F0 F1 | B0 B1
            | T0 T1
            student  F0--F1--................................B0------B1------
            teacher  ........T0--------------T1--------------................
            """);
  }

  @Test
  void draw_fillDrain_startsTheTeacherEarly() {
    assertThat(drawing(Order.FILL_DRAIN, 8))
        .isEqualTo(
            """
            F0 F1 | B0 B1
            T0 T1
            student  F0--F1--............................B0------B1------
            teacher  ....T0--------------T1--------------................
            """);
  }

  @Test
  void draw_eager_goesBackwardsAsSoonAsItCan() {
    assertThat(drawing(Order.EAGER, 8))
        .isEqualTo(
            """
            F0 F1 B0 B1
            T0 T1
            student  F0--F1--............B0------........B1------
            teacher  ....T0--------------T1--------------........
            """);
  }

  @Test
  void draw_eagerWithASmallWindow_isSequential() {
    assertThat(drawing(Order.EAGER, 7)).isEqualTo(drawing(Order.SEQUENTIAL, 8));
  }

  @Test
  void draw_severalTeachersAndShortSpans_fitTheColumns() {
    StepPicture picture =
        new StepPicture(
            "",
            List.of(
                new Span(0, Operation.FORWARD, 0, 10, 10.2),
                new Span(0, Operation.FORWARD, 10, 11, 13),
                new Span(0, Operation.FORWARD, 11, 13, 16),
                new Span(1, Operation.TEACHER, 0, 10.2, 14),
                new Span(0, Operation.OPTIMIZER, 0, 19, 20)),
            2,
            10,
            20);
    assertThat(TextDrawing.draw(picture, 10, 10))
        .isEqualTo(
            """
            student    FF-F11...U
            teacher 1  T0--......
            teacher 2  ..........
            """);
    assertThat(TextDrawing.draw(picture, 10, 20).lines().findFirst()).contains("student    FFF.U");
  }

  private static Document svg(List<StepPicture> pictures, boolean arrows) throws Exception {
    String text = SvgDrawing.draw(pictures, "s", arrows);
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
  }

  private static double attribute(Element element, String name) {
    return Double.parseDouble(element.getAttribute(name));
  }

  private static List<Element> elements(Document svg, String tag, String kind) {
    NodeList all = svg.getElementsByTagName(tag);
    return IntStream.range(0, all.getLength())
        .mapToObj(i -> (Element) all.item(i))
        .filter(e -> e.getAttribute("class").equals(kind))
        .toList();
  }

  @Test
  void svg_twoSteps_haveBoxesToOneScale() throws Exception {
    Costs costs = Costs.ideal(8, 1, 4, 2);
    Simulation eager =
        Simulator.run(SchedulePlanner.plan(Order.EAGER, List.of(4, 4), 8, 1), costs, List.of(1.0));
    Simulation sequential =
        Simulator.run(
            SchedulePlanner.plan(Order.SEQUENTIAL, List.of(8), 8, 1), costs, List.of(1.0));
    Document svg =
        svg(
            List.of(StepPicture.of("one & all <8>", sequential), StepPicture.of("eager", eager)),
            true);
    // The first of each kind is the legend's; the updates take no time.
    List<Element> teachers = elements(svg, "rect", "T");
    assertThat(teachers).hasSize(1 + 1 + 2);
    assertThat(elements(svg, "rect", "U")).hasSize(1);
    assertThat(elements(svg, "path", "a")).hasSize(2 + 4);
    double whole = attribute(teachers.get(1), "width");
    assertThat(attribute(teachers.get(2), "width")).isCloseTo(whole / 2, within(0.02));
    assertThat(attribute(teachers.get(3), "x") - attribute(teachers.get(2), "x"))
        .isCloseTo(whole / 2, within(0.02));
    assertThat(attribute(teachers.get(3), "y")).isEqualTo(attribute(teachers.get(2), "y"));
    assertThat(teachers.get(3).getTextContent()).isEqualTo("T1: 2.5 to 4.5");
    assertThat(svg.getDocumentElement().getTextContent())
        .contains("one & all <8>")
        .contains("step 7.000 · bubble 42.9 % · imbalance 14.3 %")
        .contains("step 5.500 · bubble 27.3 % · imbalance 18.2 %")
        .contains("time in s");
  }

  @Test
  void svg_offeredPatches_haveNoArrowsFromForwards() throws Exception {
    Simulation simulation =
        Simulator.run(
            SchedulePlanner.plan(Order.CONCURRENT_FULL, List.of(4, 4), 8, 1),
            Costs.ideal(8, 1, 4, 2),
            List.of(1.0));
    assertThat(elements(svg(List.of(StepPicture.of("", simulation)), true), "path", "a"))
        .hasSize(2);
    assertThat(elements(svg(List.of(StepPicture.of("", simulation)), false), "path", "a"))
        .isEmpty();
  }

  @Test
  void svg_nothingToDraw_isNamed() {
    assertThatThrownBy(() -> SvgDrawing.draw(List.of(), "", false))
        .hasMessage("nothing to draw: found 0 steps, the longest of 0.0");
  }
}
