import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.guests.frames import FrameCutShort, FrameCutter, FrameTooLong


def framed(*payloads: bytes) -> bytes:
    return b"".join(len(one).to_bytes(8, "big") + one for one in payloads)


@given(
    payloads=st.lists(st.binary(max_size=40), max_size=8),
    cuts=st.lists(st.integers(min_value=1, max_value=30), max_size=30),
)
def test_payloads_come_out_whole_and_in_order_however_the_bytes_come_in(
    payloads: list[bytes], cuts: list[int]
) -> None:
    cutter, rest, found = FrameCutter(max_bytes=40), framed(*payloads), list[bytes]()
    for cut in [*cuts, len(rest)]:
        found += cutter.feed(rest[:cut])
        rest = rest[cut:]
    cutter.end()
    assert found == payloads


@pytest.mark.parametrize("kept", [1, 7, 8, 9, 12])
def test_an_end_within_a_frame_is_an_error(kept: int) -> None:
    cutter = FrameCutter(max_bytes=100)
    assert list(cutter.feed(framed(b"whole", b"partial")[: 13 + kept])) == [b"whole"]
    with pytest.raises(FrameCutShort, match=f"{kept} bytes into a frame"):
        cutter.end()


@pytest.mark.parametrize("length", [101, 2**31, 2**60, 2**64 - 1])
def test_a_frame_that_is_too_long_ends_all_but_not_what_came_before_it(length: int) -> None:
    cutter, found = FrameCutter(max_bytes=100), list[bytes]()
    with pytest.raises(FrameTooLong, match=f"claims {length} bytes, more than 100"):
        found.extend(cutter.feed(framed(b"one", b"") + length.to_bytes(8, "big") + b"x" * 50))
    assert found == [b"one", b""]


def test_a_frame_as_long_as_is_allowed_is_taken() -> None:
    assert list(FrameCutter(max_bytes=100).feed(framed(b"x" * 100))) == [b"x" * 100]


def test_it_says_how_much_it_will_have_to_hold() -> None:
    cutter = FrameCutter(max_bytes=10**6)
    assert cutter.wanted_bytes == 8
    list(cutter.feed(framed(b"one", b"x" * 500_000)[:20]))
    assert cutter.wanted_bytes == 500_008
