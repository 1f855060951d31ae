"""What programs are known by, but cannot do in this version: asking for it is an error.

It is never ignored: whoever sets one of these relies on it.
"""

from collections.abc import Callable, Mapping, Sequence

LATER_EXPORTERS = ("zpages",)


def later(what: str) -> Callable[[Sequence[str]], object]:
    """Refuse whatever is said of something that is not part of this version."""

    def parse(texts: Sequence[str]) -> None:
        if any(texts):
            raise ValueError(f"{what} is not part of this version")

    return parse


def refuse_later(environ: Mapping[str, str]) -> None:
    """Refuse a variable that asks for zPages."""
    if environ.get("ZPAGES_PORT", "").strip():
        raise ValueError("ZPAGES_PORT: zPages are not part of this version; unset it")
