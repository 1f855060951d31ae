"""Lengths of time as people write them."""

import re

LONGEST_NS = (1 << 63) - 1
"""What still fits a column of nanoseconds: 292 years."""

_UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60 * 1_000_000_000}
_DURATION = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?(ns|us|ms|s|m)?", re.ASCII)


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
