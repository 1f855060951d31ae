"""Any bytes decode or are counted as malformed: never another exception, never a hang.

Warnings of numpy are errors here, so arithmetic that leaves its range would fail as well.
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from container_tracer.domain.model.errors import DataError
from container_tracer.domain.model.event_batch import EventLayout, EventSchema
from container_tracer.domain.model.event_format import parse_event_format, structured_dtype
from container_tracer.domain.model.merge import TimeMerge, horizon
from container_tracer.domain.model.ring_buffer import (
    SubBufferLayout,
    decode_sub_buffers,
    parse_header_page,
)
from container_tracer.ports.kernel_tracer import SubBuffers

PAGE = SubBufferLayout(size=1024)
SEEDS = st.integers(0, (1 << 32) - 1)
often = settings(deadline=None, derandomize=True, max_examples=150)

SCHEMA = EventSchema.of(
    [
        (EventLayout("short", structured_dtype([("x", np.dtype("<u2"), 8)]), 12), range(20_000)),
        (
            EventLayout("long", structured_dtype([("y", np.dtype(("<i8", (6,))), 16)]), 12),
            range(20_000, 40_000),
        ),
    ]
)


def survives(data: NDArray[np.uint8], cpu: NDArray[np.int16], layout: SubBufferLayout) -> None:
    """Decode and merge, and see that every record is in its sub-buffer and accounted for."""
    merge = TimeMerge(SCHEMA)
    for lock_step in (False, True, None):
        records = decode_sub_buffers(data, cpu, layout=layout, lock_step=lock_step)
        first = records.offset // (layout.size // 4) * (layout.size // 4)
        end = first + layout.size // 4
        inside = records.length > 0
        assert (records.offset >= first + layout.data_offset // 4)[inside].all()
        assert (records.offset + records.length <= end)[inside].all()
        assert (records.length >= 0).all()
        assert 0 <= records.malformed <= len(cpu)
        assert all(one.count >= 0 for one in records.losses)
        table, short = SCHEMA.decode(records)
        assert len(table) + short == len(records)
        newest = dict(zip(table.cpu.tolist(), table.time_ns.tolist(), strict=True))
        waiting = merge.pending
        merged = merge.merge(table, horizon(1 << 40, newest))
        assert len(merged) + merge.pending == waiting + len(table)
        assert (merged.time_ns[1:] >= merged.time_ns[:-1]).all()


def noise(seed: int, pages: int) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    random = np.random.default_rng(seed)
    data = random.integers(0, 256, pages * PAGE.size, dtype=np.uint8)
    return data, np.sort(random.integers(0, 4, pages)).astype(np.int16)


@often
@given(SEEDS, st.integers(0, 12))
def test_noise(seed: int, pages: int) -> None:
    survives(*noise(seed, pages), PAGE)


@often
@given(
    SEEDS,
    st.sampled_from(
        [0, 4, 1008, 1 << 31 | 1008, 3 << 30 | 1000, 1012, 1 << 63 | 100, (1 << 64) - 4]
    ),
)
def test_noise_behind_a_commit_word_that_lets_it_be_read(seed: int, commit: int) -> None:
    data, cpu = noise(seed, 10)
    data.view("<u8")[1 :: PAGE.size // 8] = commit
    survives(data, cpu, PAGE)


@often
@given(SEEDS, st.lists(st.sampled_from([*range(4), 12, 28, 29, 30, 31]), min_size=1, max_size=9))
def test_hostile_headers_and_huge_times(seed: int, kinds: list[int]) -> None:
    random = np.random.default_rng(seed)
    data, cpu = noise(seed, 10)
    words = data.view("<u4").reshape(-1, PAGE.size // 4)
    deltas = random.choice([0, 1, (1 << 27) - 1], words.shape) << 5
    plain = random.choice([0, 4, 8, 64, 0xFFFF_FFFC, 0xFFFF_FFFF], words.shape)
    headers = deltas | random.choice(kinds, words.shape)
    words[:] = np.where(random.random(words.shape) < 0.8, headers, plain)
    words[:, :2] = random.choice([0, 0x7FFF_FFFF, 0xFFFF_FFFF], (len(words), 2))
    words[:, 2], words[:, 3] = PAGE.size - PAGE.data_offset, 0
    survives(data, cpu, PAGE)


@pytest.mark.parametrize("name", ["mixed", "lost"])
def test_flipped_bits_in_recorded_sub_buffers(
    name: str, recorded_pages: Callable[[str], SubBuffers]
) -> None:
    pages = recorded_pages(name)
    for seed in range(150):
        random = np.random.default_rng(seed)
        data = pages.data.copy()
        places = random.integers(0, len(data), 1 + seed)
        data[places] ^= np.uint8(1) << random.integers(0, 8, len(places), dtype=np.uint8)
        survives(data, pages.cpu, SubBufferLayout())


def test_sub_buffers_cut_out_at_the_wrong_place(
    recorded_pages: Callable[[str], SubBuffers],
) -> None:
    pages = recorded_pages("mixed")
    for shift in range(4, 400, 4):
        survives(np.roll(pages.data, shift), pages.cpu, SubBufferLayout())


COMMON = (
    "name: x\nID: 5\nformat:\n"
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
)
NUMBERS = st.one_of(st.integers(0, 70_000), st.sampled_from(["", "-1", "²", "9" * 5000]))
FIELDS = st.builds(
    "\tfield:{} {}{};\toffset:{};\tsize:{};\tsigned:{};\n".format,
    st.sampled_from(["int", "char", "__data_loc char[]", "__rel_loc u8[]", "", "struct a *", "["]),
    st.sampled_from(["a", "a_2", "common_pid", "é", "", "a b", "a]"]),
    st.sampled_from(["", "[4]", "[0]", "[]", "[N]", "[²]", "[99999]", "[9999999]", "[2][8]", "[["]),
    NUMBERS,
    st.one_of(st.sampled_from([1, 2, 4, 8, 16]), NUMBERS),
    NUMBERS,
)


def formats_or_refuses(text: str) -> None:
    try:
        event = parse_event_format(text)
    except DataError:
        return
    assert event.dtype.itemsize % 4 == 0
    assert event.dtype.names is not None


@often
@given(st.text())
def test_any_text_as_an_event_format(text: str) -> None:
    formats_or_refuses(text)
    formats_or_refuses(COMMON + text)
    formats_or_refuses(f"{COMMON}\tfield:{text};\toffset:8;\tsize:4;\tsigned:0;\n")


@often
@given(st.lists(FIELDS, max_size=6))
def test_any_fields_in_an_event_format(fields: list[str]) -> None:
    formats_or_refuses(COMMON + "".join(fields))


def test_damaged_event_formats(recorded_format_texts: dict[str, str]) -> None:
    texts = list(recorded_format_texts.values())
    random = np.random.default_rng(1)
    for text in random.choice(texts, 500):
        begin, size = int(random.integers(0, len(text))), int(random.integers(0, 40))
        formats_or_refuses(text[:begin] + text[begin + size :])
        formats_or_refuses(text[:begin] + "0;[\t\n9"[size % 6] * size + text[begin:])


def lays_out_or_refuses(text: str) -> None:
    try:
        layout = parse_header_page(text)
    except DataError:
        return
    assert 0 < layout.data_offset <= layout.size
    assert layout.size % 4 == 0


PAGE_FIELDS = st.builds(
    "\tfield: {};\toffset:{};\tsize:{};\tsigned:0;\n".format,
    st.sampled_from(["u64 timestamp", "local_t commit", "char data", "int x", ""]),
    NUMBERS,
    NUMBERS,
)


@often
@given(st.text(), st.lists(PAGE_FIELDS, max_size=5))
def test_any_text_as_a_header_page(text: str, fields: list[str]) -> None:
    lays_out_or_refuses(text)
    lays_out_or_refuses("".join(fields))


def test_damaged_header_pages(recorded_text: Callable[[str], str]) -> None:
    whole = recorded_text("header_page")
    for begin in range(len(whole)):
        for instead in ("", "0", "9", "99999", "\n", "²"):
            lays_out_or_refuses(whole[:begin] + instead + whole[begin + 1 :])
