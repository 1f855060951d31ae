"""What programs are known by, but cannot do in this version: asking for it is an error.

It is never ignored: whoever sets one of these relies on it.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from .options import Option, last

LATER_EXPORTERS = ("zpages",)

_ALL_PERCENT = 100


def later(what: str) -> Callable[[Sequence[str]], object]:
    """Refuse whatever is said of something that is not part of this version."""

    def parse(texts: Sequence[str]) -> None:
        if any(texts):
            raise ValueError(f"{what} is not part of this version")

    return parse


def _sample_rate(text: str) -> None:
    word = text.strip().lower()
    percent = float(word) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", word) else -1.0
    if word not in ("never", "always") and not 0 <= percent <= _ALL_PERCENT:
        raise ValueError(f"{text!r} is neither always, never, nor a percentage from 0 to 100")
    if word != "always" and percent != _ALL_PERCENT:
        raise ValueError("sampling is not part of this version; write always, or leave it out")


SAMPLE_RATE = Option(
    flag="--trace-sample-rate",
    variables=(),
    parse=last(_sample_rate),
    meaning="only always in this version",
)


def refuse_later(environ: Mapping[str, str]) -> None:
    """Refuse a variable that asks for zPages."""
    if environ.get("ZPAGES_PORT", "").strip():
        raise ValueError("ZPAGES_PORT: zPages are not part of this version; unset it")
