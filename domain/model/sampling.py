"""Sampling: a share of all traces is kept, and everybody who meets a trace decides alike.

The decision is that of OpenTelemetry's consistent probability sampling
(https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/): the last 56 bits
of a trace's id are random, and it is kept if they are not below a threshold. What a low rate keeps,
every higher rate keeps, too.
"""

import re
from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from .spans import Bools, UInt64

ALL_PERCENT = 100
DIGITS = 9

RANDOM_BYTES = 7
_ALL = 1 << 8 * RANDOM_BYTES

_PERCENT = re.compile(rf"[0-9]{{1,3}}(\.[0-9]{{1,{DIGITS}}})?", re.ASCII)
_WORDS = {"always": 100.0, "never": 0.0}


def _rounded(percent: float) -> float:
    return round(percent, DIGITS)


@frozen
class SampleRate:
    """How much is kept, in percent from 0 to 100; raises `ValueError` for anything else.

    It is rounded to as many digits as can be read.
    """

    percent: float = field(default=100.0, converter=_rounded)

    @percent.validator
    def _check(self, _attribute: object, percent: float) -> None:
        if not 0 <= percent <= ALL_PERCENT:
            raise ValueError(f"{percent} is not a percentage from 0 to {ALL_PERCENT}")

    @classmethod
    def of(cls, text: str) -> "SampleRate":
        """Read `always`, `never`, or a number from 0 to 100; raise `ValueError`."""
        word = text.strip().lower()
        percent = float(word) if _PERCENT.fullmatch(word) else _WORDS.get(word, -1.0)
        if not 0 <= percent <= ALL_PERCENT:
            raise ValueError(f"{text!r} is neither always, never, nor a percentage from 0 to 100")
        return cls(percent)

    def __str__(self) -> str:
        """Write it as it is given: `always`, `never`, or the number."""
        for word, percent in _WORDS.items():
            if self.percent == percent:
                return word
        return f"{self.percent:.{DIGITS}f}".rstrip("0").rstrip(".")

    @property
    def always(self) -> bool:
        """Whether everything is kept."""
        return self.threshold == 0

    @property
    def never(self) -> bool:
        """Whether nothing is kept."""
        return self.threshold == _ALL

    @property
    def threshold(self) -> int:
        """The smallest random number that is kept, of 56 bits; one more than these have is none."""
        return _ALL - round(self.percent * _ALL / ALL_PERCENT)

    def keeps(self, trace_id: bytes) -> bool:
        """Tell whether a trace is kept; its id has 16 bytes, or the 8 of old ones."""
        return int.from_bytes(trace_id[-RANDOM_BYTES:], "big") >= self.threshold

    def keeps_each(self, lower: "UInt64") -> "Bools":
        """Tell the same of many traces, given the lower halves of their ids."""
        kept: Bools = (lower & (_ALL - 1)) >= self.threshold
        return kept
