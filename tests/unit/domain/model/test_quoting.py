import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.quoting import (
    json_string,
    printable,
    unicode_text,
    viewer_string,
)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_gives_back_every_unicode_text(text: str) -> None:
    assert json.loads(json_string(text)) == text


@given(st.binary())
def test_json_has_no_lone_surrogates(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    assert json.loads(json_string(text)) == data.decode("utf-8", "backslashreplace")


@given(st.binary())
def test_unicode_text_can_be_encoded_and_loses_nothing(data: bytes) -> None:
    text = unicode_text(data.decode("utf-8", "surrogateescape"))
    assert text.encode().decode() == data.decode("utf-8", "backslashreplace")


@given(st.text(st.characters()))
def test_viewers_get_neither_surrogates_nor_anything_but_ascii(text: str) -> None:
    quoted = viewer_string(text)
    assert quoted.isascii()
    assert not any("\ud800" <= one <= "\udfff" for one in json.loads(quoted))
    assert all(one <= "\uffff" for one in json.loads(quoted))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain café 你好", "plain café 你好"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\u202eevil", r"\u202eevil"),
        ("\udcff", r"\xff"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_is_printed_cannot_command_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_printable_text_is_printable(text: str) -> None:
    assert printable(text).isprintable()
