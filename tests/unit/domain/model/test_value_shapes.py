"""A column is shown as its renderer shows each value."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.value_shapes import (
    ValueShape,
    narrow,
    pointer,
    shape_of,
    shape_of_result,
    signed_32,
    signed_64,
    unsigned_32,
)

EDGES = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
RAW = st.lists(st.integers(0, 2**64 - 1) | st.sampled_from(EDGES), max_size=20)


def narrowed(raw: list[int], shape: ValueShape) -> list[int]:
    bits = narrow(np.array(raw, np.uint64), np.full(len(raw), shape, np.uint8))
    unsigned = shape is ValueShape.UNSIGNED_64
    return [int(one) for one in (bits if unsigned else bits.view(np.int64))]


@given(raw=RAW)
def test_numbers_of_every_shape_are_what_their_renderer_says(raw: list[int]) -> None:
    for render in (signed_32, unsigned_32, signed_64, int):
        assert narrowed(raw, shape_of(render)) == [render(one) for one in raw]


def test_columns_of_several_shapes_do_not_mix() -> None:
    each = [ValueShape.SIGNED_32, ValueShape.SIGNED_64, ValueShape.UNSIGNED_32]
    shapes = np.array(each, np.uint8)
    bits = narrow(np.full(3, 2**32 - 1, np.uint64), shapes)
    assert bits.view(np.int64).tolist() == [-1, 2**32 - 1, 2**32 - 1]


def test_a_renderer_nobody_knows_has_to_be_asked() -> None:
    assert shape_of(lambda _: "text") is ValueShape.OTHER
    assert shape_of_result(lambda _: "text") is ValueShape.OTHER


def test_addresses_and_hex_are_told_apart_by_what_0_is() -> None:
    assert (shape_of(pointer), shape_of(hex)) == (ValueShape.POINTER, ValueShape.HEX)
    assert (pointer(0), hex(0)) == ("NULL", "0x0")


def test_results_are_signed_numbers_or_hex() -> None:
    assert shape_of_result(str) is ValueShape.SIGNED_64
    assert shape_of_result(hex) is ValueShape.HEX
