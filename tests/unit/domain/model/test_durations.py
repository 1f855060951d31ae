import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.durations import LONGEST_NS, duration_text, parse_duration_ns


@pytest.mark.parametrize(
    ("text", "unit", "ns"),
    [
        ("10", "ms", 10_000_000),
        ("10", "s", 10_000_000_000),
        ("0", "s", 0),
        ("7ns", "s", 7),
        ("7us", "s", 7_000),
        ("7ms", "s", 7_000_000),
        ("7s", "ms", 7_000_000_000),
        ("2m", "ms", 120_000_000_000),
        ("1.5s", "ms", 1_500_000_000),
        ("0.000000001s", "ms", 1),
        ("0.5", "ms", 500_000),
        ("0.5ns", "s", 0),
        ("007ms", "s", 7_000_000),
        ("9223372036s", "ms", 9_223_372_036_000_000_000),
    ],
)
def test_a_number_has_its_own_unit_or_the_given_one(text: str, unit: str, ns: int) -> None:
    assert parse_duration_ns(text, unit) == ns <= LONGEST_NS


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "ms", "-1", "+1", "1 ms", " 1", "1\n", "1h", "1S", "1.", ".5", "1.5.5", "1e3"),
        *("inf", "nan", "0x10", "1_000", "1,5", "1.0000000001", "1234567890123", "9" * 100_000),
        *("\N{ARABIC-INDIC DIGIT FIVE}", "\N{SUPERSCRIPT TWO}", "1\x00"),
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration: write a number and ns, us, ms, s or m"):
        parse_duration_ns(text, "ms")


@pytest.mark.parametrize("text", ["9223372037s", "999999999999m"])
def test_what_no_column_can_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="longer than any trace can be"):
        parse_duration_ns(text, "ms")


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1 µs"),
        (1_234, "1.23 µs"),
        (999_499, "999 µs"),
        (999_500, "1 ms"),
        (45_600_000, "45.6 ms"),
        (1_500_000_000, "1.5 s"),
        (1_200_000_000_000, "20 min"),
        (90_000_000_000_000, "25 h"),
        (864_000_000_000_000_000, "10000 d"),
    ],
)
def test_durations_read_easily(duration_ns: int, text: str) -> None:
    assert duration_text(duration_ns) == text


@given(st.integers(0, 2**62))
def test_durations_fit_eight_cells(duration_ns: int) -> None:
    assert len(duration_text(duration_ns)) <= 8
