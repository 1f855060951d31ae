"""Who meets a trace decides by its id alone, and everybody alike."""

import numpy as np
import pytest

from container_tracer.domain.model.sampling import SampleRate

EDGES = [0, 1, (1 << 55) - 1, 1 << 55, (1 << 56) - 1, (1 << 64) - 1, 0xAB << 56]


def id_of(upper: int, lower: int) -> bytes:
    return upper.to_bytes(8, "big") + lower.to_bytes(8, "big")


def random_halves(count: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.random.default_rng(6).integers(0, 1 << 64, size=count, dtype=np.uint64)


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("always", 100.0),
        ("ALWAYS", 100.0),
        ("Never", 0.0),
        ("0", 0.0),
        ("100", 100.0),
        ("100.000", 100.0),
        ("12.5", 12.5),
        (" 007 ", 7.0),
        ("0.000000001", 1e-9),
    ],
)
def test_a_rate_is_a_word_or_a_percentage(text: str, percent: float) -> None:
    assert SampleRate.of(text).percent == percent


@pytest.mark.parametrize(
    "text",
    [
        *("", "10%", "-1", "+1", "100.1", "101", "1e1", ".5", "5.", "0x10", "nan", "inf", "½"),
        *("sometimes", "1,5", "1 0", "٣", "1_0", "0.0000000001"),
    ],
)
def test_anything_else_is_an_error_that_quotes_it(text: str) -> None:
    with pytest.raises(ValueError, match="neither always, never, nor a percentage") as caught:
        SampleRate.of(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("percent", [-0.1, 100.1, float("nan"), float("inf")])
def test_no_rate_is_made_of_what_is_no_percentage(percent: float) -> None:
    with pytest.raises(ValueError, match="is not a percentage"):
        SampleRate(percent)


@pytest.mark.parametrize("text", ["always", "never", "12.5", "0.000000001", "99.999999999", "7"])
def test_a_rate_is_written_as_it_is_read(text: str) -> None:
    assert str(SampleRate.of(text)) == text
    assert SampleRate.of(str(SampleRate.of(text))) == SampleRate.of(text)


def test_always_keeps_every_id_and_never_none() -> None:
    for lower in EDGES:
        assert SampleRate.of("always").keeps(id_of(1, lower))
        assert not SampleRate.of("never").keeps(id_of(1, lower))
    assert SampleRate.of("always").always
    assert SampleRate.of("never").never
    half = SampleRate.of("50")
    assert not half.always
    assert not half.never


def test_only_the_last_56_bits_decide_and_high_ones_are_kept() -> None:
    half = SampleRate.of("50")
    assert half.threshold == 1 << 55
    assert half.keeps(id_of(0, 1 << 55))
    assert not half.keeps(id_of(1 << 63, (1 << 55) - 1))
    assert not half.keeps(id_of((1 << 64) - 1, 0xFF << 56))
    assert half.keeps((1 << 55).to_bytes(8, "big"))  # an id of 64 bits is its own lower half


def test_columns_decide_as_single_ids_do() -> None:
    lower = np.concatenate([np.array(EDGES, dtype=np.uint64), random_halves(1_000)])
    for text in ("always", "never", "50", "12.5", "0.000000001", "99.999999999"):
        rate = SampleRate.of(text)
        one_by_one = [rate.keeps(id_of(7, int(one))) for one in lower]
        assert rate.keeps_each(lower).tolist() == one_by_one


def test_a_share_is_kept_and_a_higher_rate_keeps_it_too() -> None:
    lower = random_halves(100_000)
    before = np.zeros(len(lower), dtype=np.bool_)
    for percent in (0.1, 1, 10, 50, 90):
        kept = SampleRate(percent).keeps_each(lower)
        assert kept.mean() == pytest.approx(percent / 100, rel=0.2)
        assert not (before & ~kept).any()
        before = kept
