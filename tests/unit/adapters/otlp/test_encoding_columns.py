"""Numbers and pieces in columns are what they are one at a time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.adapters.otlp.encoding_columns import (
    SPILL,
    PieceColumns,
    hex_lengths,
    put,
    put_hex,
    put_varints,
    varint_lengths,
)
from container_tracer.adapters.otlp.encoding_messages import varint

EDGES = sorted({(1 << bits) + near for bits in range(64) for near in (-1, 0, 1)} | {2**64 - 1})
NUMBERS = st.lists(st.integers(0, 2**64 - 1) | st.sampled_from(EDGES), max_size=30)
DISTANCE = 32


def test_lengths_are_right_next_to_every_power_of_two() -> None:
    numbers = np.array(EDGES, np.uint64)
    assert varint_lengths(numbers).tolist() == [len(varint(one)) for one in EDGES]
    assert hex_lengths(numbers).tolist() == [len(f"{one:x}") for one in EDGES]


@given(numbers=NUMBERS)
def test_varints_and_hex_are_those_of_one_number_at_a_time(numbers: list[int]) -> None:
    column, at = np.array(numbers, np.uint64), DISTANCE * np.arange(len(numbers))
    for write, lengths, known in (
        (put_varints, varint_lengths(column), [varint(one) for one in numbers]),
        (put_hex, hex_lengths(column), [f"{one:x}".encode() for one in numbers]),
    ):
        target = np.zeros(DISTANCE * len(numbers) + SPILL, np.uint8)
        write(target, at, column, lengths)
        found = [bytes(target[i : i + len(one)]) for i, one in zip(at, known, strict=True)]
        assert found == known


def test_varints_spill_less_than_they_say() -> None:
    for number in EDGES:
        column = np.array([number], np.uint64)
        target = np.full(40, 0xEE, np.uint8)
        put_varints(target, np.array([5]), column, varint_lengths(column))
        end = 5 + len(varint(number)) + 7
        assert set(target[:5].tolist()) | set(target[end:].tolist()) == {0xEE}


@settings(deadline=None)
@given(
    pieces=st.lists(st.binary(max_size=300), min_size=1, max_size=20),
    order=st.lists(st.integers(0, 2**30), max_size=40),
)
def test_pieces_of_any_length_are_put_next_to_each_other(
    pieces: list[bytes], order: list[int]
) -> None:
    known = PieceColumns.of(pieces)
    chosen = np.array([one % len(pieces) for one in order], np.int64)
    length = known.length[chosen]
    target = np.full(int(length.sum()) + 2, 0xEE, np.uint8)
    at = 1 + np.cumsum(length) - length
    put(target, at, known.source, known.begin[chosen], length)
    assert bytes(target) == b"\xee" + b"".join(pieces[one] for one in chosen) + b"\xee"
