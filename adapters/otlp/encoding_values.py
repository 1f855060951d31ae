"""Arguments and results of spans, as pieces and the digits behind them."""

import numpy as np
from attrs import define, field, frozen

from ...domain.model.spans import Int64, UInt8, UInt64
from .encoding_columns import PieceColumns, put, put_hex, put_varints

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@frozen(kw_only=True, eq=False)
class Values:
    """The arguments and results that spans have, m of them, span after span.

    `row` is the span; `length` counts the bytes of the whole attribute. What is not in `piece`
    follows it: `varint` and `hex` tell which have how many digits of which number.
    """

    row: Int64
    piece: Int64
    length: Int64
    varint: "Digits"
    hex: "Digits"

    def put(self, target: UInt8, at: Int64, pieces: PieceColumns) -> None:
        """Write them where each begins; `SPILL` bytes behind may be overwritten."""
        length = pieces.length[self.piece]
        # Digits first: they spill over what comes next, which is then written. The varints are
        # last of them because they spill less than lies between any two digits.
        for digits, write in ((self.hex, put_hex), (self.varint, put_varints)):
            write(target, (at + length)[digits.value], digits.number, digits.count)
        put(target, at, pieces.source, pieces.begin[self.piece], length)


@frozen(eq=False)
class Digits:
    """Numbers that values end with: which `value`, the `number`, and the `count` of digits."""

    value: Int64
    number: UInt64
    count: Int64


@define
class KnownTexts:
    """Pieces of values that only their renderer knows, by place (kind and argument) and bits."""

    _known: dict[tuple[int, int], int] = field(factory=dict)
    _key: UInt64 = field(factory=lambda: np.zeros(1, np.uint64))
    _place: Int64 = field(factory=lambda: np.full(1, -1, np.int64))
    _bits: UInt64 = field(factory=lambda: np.zeros(1, np.uint64))
    _piece: Int64 = field(factory=lambda: np.zeros(1, np.int64))

    def __len__(self) -> int:
        """Count the texts."""
        return len(self._known)

    def find(self, place: Int64, bits: UInt64) -> tuple[Int64, Int64]:
        """Return the piece of each, and which of them are not known: their piece means nothing."""
        at = np.searchsorted(self._key, _scattered(place, bits))
        at = np.minimum(at, len(self._key) - 1)
        # Two values may share a key: then one of them is never found here, and asked for again.
        strange = np.flatnonzero((self._place[at] != place) | (self._bits[at] != bits))
        return self._piece[at], strange

    def get(self, place: int, bits: int) -> int | None:
        """Return the piece of a value, if it is known."""
        return self._known.get((place, bits))

    def learn(self, found: dict[tuple[int, int], int]) -> None:
        """Remember the pieces of values, by place and bits."""
        self._known |= found
        known = list(self._known)
        place = np.array([place for place, _ in known], np.int64)
        bits = np.array([bits for _, bits in known], np.uint64)
        key = _scattered(place, bits)
        order = np.argsort(key, kind="stable")
        self._key, self._place, self._bits = key[order], place[order], bits[order]
        self._piece = np.array(list(self._known.values()), np.int64)[order]


def _scattered(place: Int64, bits: UInt64) -> UInt64:
    key: UInt64 = (bits ^ place.astype(np.uint64) << np.uint64(48)) * _GOLDEN
    return key
