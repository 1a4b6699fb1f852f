package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class HtmlTest {
  @Test
  void element_textAndAttributesWithMarkup_areEscaped() {
    Html html = new Html();
    html.element("p", "<script>alert('&')</script>", "title", "\"><script>");

    assertThat(html.toString())
        .isEqualTo(
            "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;script&gt;alert('&amp;')&lt;/script&gt;</p>\n");
  }

  @Test
  void text_charactersThatXmlForbids_areReplaced() {
    Html html = new Html();
    html.element("p", "a\u0000b\u001b\uD800c😀");

    assertThat(html.toString()).isEqualTo("<p>a\uFFFDb\uFFFD\uFFFDc😀</p>\n");
  }

  @Test
  void toString_somethingOpen_isRefused() {
    Html html = new Html();
    html.open("p").open("b").close();

    assertThatThrownBy(html::toString)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("[p]");
  }

  @Test
  void verbatim_markup_isRefused() {
    assertThatThrownBy(() -> new Html().verbatim("a < b"))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
