"""Streams of nodes are cut into whole lines, wherever the network cut them."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model import stream_lines
from container_tracer.domain.model.stream_lines import LineCutter, MalformedStream, Piece, Told

SPAN = b'{"time":"t","name":"read","arguments":{"stream":1}}\n'
DROPPED = b'{"stream": "dropped", "spans": 5}\n'
STREAM = b'{"stream": "open", "id": "7"}\n' + 3 * SPAN + DROPPED + SPAN + b'{"stream": "end"}\n'


def cut(*chunks: bytes) -> list[Piece]:
    cutter = LineCutter()
    return [piece for chunk in chunks for piece in cutter.cut(chunk)]


def test_spans_stay_bytes_and_lines_about_the_stream_are_read_in_their_place() -> None:
    assert cut(STREAM) == [
        Told(kind="open", body={"id": "7"}),
        3 * SPAN,
        Told(kind="dropped", body={"spans": 5}),
        SPAN,
        Told(kind="end"),
    ]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20).map(sorted))
def test_it_does_not_matter_where_chunks_end(cuts: list[int]) -> None:
    bounds = [0, *cuts, len(STREAM)]
    chunks = [STREAM[start:end] for start, end in pairwise(bounds)]
    pieces = cut(*chunks)
    whole = b"".join(
        piece
        if isinstance(piece, bytes)
        else json.dumps({"stream": piece.kind, **piece.body}).encode() + b"\n"
        for piece in pieces
    )
    assert whole == STREAM
    assert all(piece.endswith(b"\n") for piece in pieces if isinstance(piece, bytes))


def test_what_comes_before_a_malformed_line_about_the_stream_is_not_lost() -> None:
    pieces = LineCutter().cut(STREAM + b'{"stream"}\n')
    assert [next(pieces) for _ in cut(STREAM)] == cut(STREAM)
    with pytest.raises(MalformedStream):
        next(pieces)


@pytest.mark.parametrize(
    "line",
    [
        b"<html>\n",
        b"\n",
        SPAN[:-3] + b"\n" + SPAN,
        SPAN + b"oops" + SPAN,
        SPAN[:-1] + b"\r\n",
        b'{"stream"\n',
        b'{"stream": 7}\n',
        b'{"stream": ' + b"[" * 100_000 + b"\n",
    ],
)
def test_what_is_no_line_of_json_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedStream):
        cut(SPAN + line)


def test_a_line_without_an_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_lines, "MAX_LINE_BYTES", 100)
    assert cut(b"x" * 60, b"x" * 40) == []
    with pytest.raises(MalformedStream, match="more than 100 bytes"):
        cut(b"x" * 60, b"x" * 41)
    with pytest.raises(MalformedStream, match="more than 100 bytes"):
        cut(SPAN + b"x" * 101)
