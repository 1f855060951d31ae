"""What is no HTML cannot become any."""

from html.parser import HTMLParser

from container_tracer.entrypoints.zpages.markup import Html, element, joined

HOSTILE = "</p><script>alert(1)</script>\"'&<!--\0\x1b\ud800\udcff"


class Reader(HTMLParser):
    """Notes which elements and texts there are."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: Html) -> Reader:
    reader = Reader()
    reader.feed(html.text)
    reader.close()
    return reader


def test_texts_stay_texts_inside_and_in_attributes() -> None:
    reader = read(element("p", HOSTILE, title=HOSTILE, class_="x"))
    shown = HOSTILE.replace("\ud800", "\\ud800").replace("\udcff", "\\udcff")
    assert reader.text == shown
    assert reader.tags == [("p", {"title": shown, "class": "x"})]


def test_what_is_inside_is_written_one_after_the_other() -> None:
    assert joined() == Html("")
    assert joined(1, None, "a", Html("<b>"), "<b>") == Html("1a<b>&lt;b&gt;")


def test_an_element_that_has_nothing_inside_by_nature_is_not_ended() -> None:
    assert element("meta", charset="utf-8") == Html('<meta charset="utf-8">')
