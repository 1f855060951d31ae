import pytest

from container_tracer.domain.model.durations import LONGEST_NS, parse_duration_ns


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
