"""Lengths of time as people write them."""

import re

LONGEST_NS = (1 << 63) - 1
"""What still fits a column of nanoseconds: 292 years."""

_UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60 * 1_000_000_000}
_DURATION = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?(ns|us|ms|s|m)?", re.ASCII)
_SHOWN_UNITS = (
    ("ns", 1),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
)
_DAY_NS = 86_400_000_000_000


def parse_duration_ns(text: str, unit: str) -> int:
    """Read `10ms`, `1.5s` or, in the given unit, `10`, as nanoseconds; raise `ValueError`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration: write a number and ns, us, ms, s or m")
    whole, fraction, given = match.groups()
    scale = _UNITS_NS[given or unit]
    ns = int(whole) * scale + int((fraction or "0").ljust(9, "0")) * scale // 1_000_000_000
    if ns > LONGEST_NS:
        raise ValueError(f"{text!r} is longer than any trace can be")
    return ns


def duration_text(duration_ns: int) -> str:
    """Three digits and a unit, in eight cells: `812 ns`, `1.23 µs`, `45.6 ms`, `20 min`, `3 d`."""
    for unit, size_ns in _SHOWN_UNITS:
        if duration_ns < 999.5 * size_ns:
            return f"{duration_ns / size_ns:.3g} {unit}"
    return f"{duration_ns / _DAY_NS:.0f} d"
