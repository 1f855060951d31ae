"""What programs are known by, but cannot do in this version: asking for it is an error.

It is never ignored: whoever sets one of these relies on it.
"""

from collections.abc import Callable, Sequence


def later(what: str) -> Callable[[Sequence[str]], object]:
    """Refuse whatever is said of something that is not part of this version."""

    def parse(texts: Sequence[str]) -> None:
        if any(texts):
            raise ValueError(f"{what} is not part of this version")

    return parse
