"""Both walkers give one result on anything, and read back exactly what was written."""

from collections.abc import Callable

import numpy as np
import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from container_tracer.domain.model.ring_buffer import (
    LossMark,
    Records,
    SubBufferLayout,
    decode_sub_buffers,
)
from container_tracer.fakes.sub_buffer import SubBufferFullError, SubBufferWriter, sub_buffers
from container_tracer.ports.kernel_tracer import SubBuffers

SMALL = SubBufferLayout(size=256)
"""Small sub-buffers: whatever happens at their end happens often."""

COLUMNS = ("offset", "length", "time_ns", "cpu")
quickly = settings(deadline=None, derandomize=True, max_examples=200)


@frozen(eq=False)
class Written:
    """Sub-buffers, and the (time, data) of each record in them."""

    page: bytes
    records: list[tuple[int, bytes]]
    stamp_ns: int
    lost: int | None


def both(data: NDArray[np.uint8], cpu: NDArray[np.int16], layout: SubBufferLayout) -> Records:
    """Decode with both walkers and compare their results."""
    one, other = (
        decode_sub_buffers(data, cpu, layout=layout, lock_step=choice) for choice in (False, True)
    )
    for name in COLUMNS:
        column, same = getattr(one, name), getattr(other, name)
        assert column.dtype == same.dtype
        assert column.tolist() == same.tolist(), name
    assert (one.losses, one.malformed) == (other.losses, other.malformed)
    return one


DELTAS = st.one_of(
    st.integers(0, 5), st.sampled_from([(1 << 27) - 1, 1 << 27, (1 << 32) + 1, 1 << 50])
)
DATA = st.one_of(st.binary(min_size=1, max_size=12), st.binary(max_size=150))
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), DELTAS, DATA),
        st.tuples(st.just("long"), DELTAS, DATA),
        st.tuples(st.just("extend"), DELTAS, st.just(b"")),
        st.tuples(st.just("stamp"), DELTAS, st.just(b"")),
        st.tuples(st.just("discarded"), st.integers(1, 9), st.just(bytes(8))),
    ),
    max_size=25,
)


@st.composite
def written(draw: st.DrawFn) -> Written:
    """Write a valid sub-buffer of any contents, until it is full or there is no more."""
    lost = draw(st.one_of(st.none(), st.integers(0, 1 << 40)))
    writer = SubBufferWriter(draw(st.integers(0, 1 << 54)), layout=SMALL)
    stamp_ns, records = writer.stamp_ns, []
    for name, delta_ns, data in draw(OPERATIONS):
        at_ns = writer.now_ns + delta_ns
        try:
            if name == "extend":
                writer.time_extend(delta_ns)
            elif name == "stamp":
                writer.time_stamp(at_ns)
            elif name == "discarded":
                writer.discarded(data, at_ns=at_ns)
            else:
                writer.record(data, at_ns=at_ns, long=name == "long")
                records.append((at_ns, data + bytes(-len(data) % 4)))
        except SubBufferFullError:
            break
    room = writer.room >= 8
    if lost is not None:
        writer.lost(lost)
    return Written(writer.finish(), records, stamp_ns, lost if room or lost is None else 0)


PAGES = st.lists(written(), max_size=6)


@quickly
@given(PAGES)
def test_what_was_written_is_what_is_decoded(pages: list[Written]) -> None:
    taken = sub_buffers({cpu: [one.page] for cpu, one in enumerate(pages)})
    records = both(taken.data, taken.cpu, SMALL)
    words = records.words.tobytes()
    rows = zip(*(getattr(records, name).tolist() for name in COLUMNS), strict=True)
    decoded = [(cpu, time, words[at * 4 : (at + size) * 4]) for at, size, time, cpu in rows]
    expected = [(cpu, *one) for cpu, page in enumerate(pages) for one in page.records]
    assert decoded == expected
    assert records.malformed == 0
    assert records.losses == tuple(
        LossMark(cpu, 0, one.stamp_ns, one.lost)
        for cpu, one in enumerate(pages)
        if one.lost is not None
    )


@quickly
@given(PAGES.filter(bool), st.data())
def test_both_walkers_agree_on_damaged_sub_buffers(
    pages: list[Written], data: st.DataObject
) -> None:
    content = bytearray(b"".join(one.page for one in pages))
    places = st.integers(0, len(content) - 1)
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        content[at] = value
    cpu = np.zeros(len(pages), dtype=np.int16)
    both(np.frombuffer(bytes(content), dtype=np.uint8), cpu, SMALL)


@quickly
@given(st.lists(st.binary(min_size=256, max_size=256), max_size=4))
def test_both_walkers_agree_on_any_bytes(pages: list[bytes]) -> None:
    cpu = np.arange(len(pages), dtype=np.int16)
    both(np.frombuffer(b"".join(pages), dtype=np.uint8), cpu, SMALL)


WORD = st.one_of(
    st.integers(0, 40),
    st.sampled_from([29, 30, 31, 29 | 1 << 5, 30 | 1 << 5, 0xFFFF_FFFF, 0x7FFF_FFFF, 1 << 31]),
    st.builds(lambda kind, delta: kind | delta << 5, st.integers(0, 31), st.integers(0, 3)),
)


@quickly
@given(st.lists(st.tuples(st.integers(0, (1 << 64) - 1), st.lists(WORD, max_size=60)), max_size=5))
def test_both_walkers_agree_on_any_headers(pages: list[tuple[int, list[int]]]) -> None:
    some = [SubBufferWriter(stamp, layout=SMALL).words(*words).finish() for stamp, words in pages]
    taken = sub_buffers({0: some})
    both(taken.data, taken.cpu, SMALL)


@pytest.mark.parametrize("name", ["mixed", "lost", "lost-uncounted"])
def test_both_walkers_agree_on_recorded_sub_buffers(
    name: str, recorded_pages: Callable[[str], SubBuffers]
) -> None:
    pages = recorded_pages(name)
    assert len(both(pages.data, pages.cpu, SubBufferLayout())) > 400
