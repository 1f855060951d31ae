"""The worked example is what a kernel recorded, and is read as the page says."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from container_tracer.domain.model.ring_buffer import SubBufferLayout, decode_sub_buffers
from container_tracer.domain.model.spans import SpanOutcome
from container_tracer.ports.kernel_tracer import SubBuffers

PAGE = (Path(__file__).parents[2] / "docs/event-journey.md").read_text()
WORD = re.compile(r"\b[0-9a-f]{8}\b")
AT = 516


def example() -> list[bytes]:
    """Return the bytes of the page's two listings."""
    listings = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    columns = ([line[:20] for line in listing.splitlines()] for listing in listings)
    return [bytes.fromhex("".join(WORD.findall(" ".join(lines)))) for lines in columns]


def test_the_bytes_are_those_of_the_recording(
    recorded_pages: Callable[[str], SubBuffers],
) -> None:
    page = recorded_pages("mixed").data[:4096].tobytes()
    head, records = example()
    assert page[: len(head)] == head
    assert page[AT : AT + len(records)] == records
    assert len(records) == 80


def test_they_are_decoded_as_the_page_says(
    recorded_pages: Callable[[str], SubBuffers], recorded_layout: Callable[[str], SubBufferLayout]
) -> None:
    data = recorded_pages("mixed").data[:4096]
    cpu = np.zeros(1, dtype=np.int16)
    records = decode_sub_buffers(data, cpu, layout=recorded_layout("mixed"))
    entry = int(np.flatnonzero(records.offset * 4 == AT + 4)[0])
    words = records.words[records.offset[entry] : records.offset[entry] + 2].tolist()
    assert words == [782, 31035]
    assert np.diff(records.time_ns[entry - 1 : entry + 2]).tolist() == [129672, 19168]
    assert not records.losses


def test_every_reason_for_an_incomplete_span_is_explained() -> None:
    shown = {one.explanation for one in SpanOutcome if one.incomplete}
    shown.remove(SpanOutcome.CHILD_RETURN.explanation)  # filtered out, always
    assert set(re.findall(r"^\| `([a-z]+ [a-z' ]+)` \|", PAGE, re.MULTILINE)) == shown
