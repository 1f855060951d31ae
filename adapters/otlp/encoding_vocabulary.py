"""What spans say again and again, encoded once: names, attributes up to their digits, texts."""

from collections.abc import Sequence

import numpy as np
from attrs import define, field

from ...domain.model.errnos import errno_name
from ...domain.model.span_attributes import (
    argument_name,
    argument_value,
    ending_attributes,
    result_name,
    result_value,
)
from ...domain.model.spans import (
    MAX_ERRNO,
    Bools,
    Int64,
    SpanBatch,
    SpanKind,
    SpanOutcome,
    UInt8,
    UInt64,
)
from ...domain.model.syscalls import MAX_ARGUMENTS
from ...domain.model.value_shapes import ValueShape, narrow, shape_of, shape_of_result
from .encoding_columns import (
    MAX_HEX,
    MAX_VARINT,
    PieceColumns,
    Pieces,
    hex_lengths,
    varint_lengths,
)
from .encoding_messages import (
    INT_VALUE,
    KIND_INTERNAL,
    SPAN_ATTRIBUTE,
    attribute,
    attribute_up_to_digits,
    attributes,
    error_status,
    text,
    varint,
)
from .encoding_values import Digits, KnownTexts, Values

TEXTS_KEPT = 8_192
"""Texts of values remembered; beyond, all is learned anew."""

_PLACES = MAX_ARGUMENTS + 1
_RESULT = MAX_ARGUMENTS
_ABSENT = 255


@define
class Vocabulary:
    """All that is known of the kinds of a session; lives as long as these do, or until `full`."""

    kinds: Sequence[SpanKind]
    _pieces: Pieces = field(factory=Pieces)
    _texts: KnownTexts = field(factory=KnownTexts)
    _head: Int64 = field(init=False)
    _shape: UInt8 = field(init=False)
    _varint: Int64 = field(init=False)
    _hex: Int64 = field(init=False)
    _ending: Int64 = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Know nothing yet."""
        kinds = len(self.kinds)
        self._head = np.full(kinds, -1, np.int64)
        self._shape = np.full((kinds, _PLACES), _ABSENT, np.uint8)
        self._varint = np.zeros(kinds * _PLACES, np.int64)
        self._hex = np.zeros(kinds * _PLACES, np.int64)
        self._ending = np.full(len(SpanOutcome) * (MAX_ERRNO + 1), -1, np.int64)

    @property
    def full(self) -> bool:
        """Tell whether it has grown too large to be kept."""
        return len(self._texts) > TEXTS_KEPT

    def pieces(self) -> PieceColumns:
        """Return all pieces spoken of so far."""
        return self._pieces.columns()

    def heads(self, batch: SpanBatch) -> Int64:
        """Return the piece that names each span, and says what kind OTLP takes it for."""
        head = self._head[batch.kind]
        if len(head) and head.min() < 0:
            for number in np.unique(batch.kind[head < 0]).tolist():
                self._learn_kind(number)
            head = self._head[batch.kind]
        return head

    def endings(self, batch: SpanBatch, failed: Bools) -> tuple[Int64, Int64]:
        """Return which spans end in an unusual way, and the piece that says so."""
        row = np.flatnonzero(failed | (batch.outcome >= SpanOutcome.BEGAN_BEFORE))
        errno = np.where(failed[row], -batch.result[row], 0)
        code = batch.outcome[row].astype(np.int64) * (MAX_ERRNO + 1) + errno
        piece = self._ending[code]
        if len(piece) and piece.min() < 0:
            for one in np.unique(code[piece < 0]).tolist():
                self._ending[one] = self._pieces.add(_ending(*divmod(one, MAX_ERRNO + 1)))
            piece = self._ending[code]
        return row, piece

    def values(self, batch: SpanBatch, failed: Bools) -> Values:
        """Return arguments and results; `heads` of the same batch were asked for before."""
        shapes = self._shapes(batch, failed)
        index = np.flatnonzero(shapes != _ABSENT)
        row, argument = np.divmod(index, _PLACES)
        shape = shapes.reshape(-1)[index]
        place = batch.kind[row].astype(np.int64) * _PLACES + argument
        bits = _bits(batch)[index]
        return self._encoded(row, place, shape, narrow(bits, shape))

    def _shapes(self, batch: SpanBatch, failed: Bools) -> UInt8:
        shapes = self._shape[batch.kind]
        shapes[~batch.entered, :_RESULT] = _ABSENT
        shapes[~batch.returned, _RESULT] = _ABSENT
        errors = failed & (shapes[:, _RESULT] == ValueShape.HEX)
        shapes[errors, _RESULT] = ValueShape.SIGNED_64
        return shapes

    def _encoded(self, row: Int64, place: Int64, shape: UInt8, bits: UInt64) -> Values:
        large = bits >> 63 != 0
        hexadecimal = (shape == ValueShape.POINTER) & (bits != 0)
        hexadecimal |= (shape == ValueShape.HEX) & ~(large & (place % _PLACES == _RESULT))
        whole = (shape < ValueShape.UNSIGNED_64) | (shape == ValueShape.UNSIGNED_64) & ~large
        piece = np.empty(len(row), np.int64)
        numbers, addresses = np.flatnonzero(whole), np.flatnonzero(hexadecimal)
        varint = Digits(numbers, bits[numbers], varint_lengths(bits[numbers]))
        piece[numbers] = self._varint[place[numbers]] + varint.count
        in_hex = Digits(addresses, bits[addresses], hex_lengths(bits[addresses]))
        piece[addresses] = self._hex[place[addresses]] + in_hex.count
        others = np.flatnonzero(~(whole | hexadecimal))
        if len(others):
            piece[others] = self._texts_of(place[others], bits[others])
        length = self.pieces().length[piece]
        length[numbers] += varint.count
        length[addresses] += in_hex.count
        return Values(row=row, piece=piece, length=length, varint=varint, hex=in_hex)

    def _texts_of(self, place: Int64, bits: UInt64) -> Int64:
        piece, strange = self._texts.find(place, bits)
        if not len(strange):
            return piece
        found: dict[tuple[int, int], int] = {}
        asked = list(zip(place[strange].tolist(), bits[strange].tolist(), strict=True))
        for one in asked:
            if one not in found:
                known = self._texts.get(*one)
                found[one] = self._pieces.add(self._value(*one)) if known is None else known
        piece[strange] = [found[one] for one in asked]
        self._texts.learn(found)
        return piece

    def _value(self, place: int, bits: int) -> bytes:
        """Encode one value as the model says it is shown."""
        kind, argument = self.kinds[place // _PLACES], place % _PLACES
        if argument == _RESULT:
            result = bits - (1 << 64) if bits >> 63 else bits
            return attribute(SPAN_ATTRIBUTE, result_name(kind), result_value(kind, result))
        one = kind.arguments[argument]
        return attribute(SPAN_ATTRIBUTE, argument_name(kind, one), argument_value(one, bits))

    def _learn_kind(self, number: int) -> None:
        kind = self.kinds[number]
        self._head[number] = self._pieces.add(text(5, kind.name) + KIND_INTERNAL)
        for argument, one in enumerate(kind.arguments[:MAX_ARGUMENTS]):
            self._learn_place(number, argument, argument_name(kind, one), shape_of(one.render))
        shape = shape_of_result(kind.result_text)
        self._learn_place(number, _RESULT, result_name(kind), shape)

    def _learn_place(self, number: int, argument: int, name: str, shape: ValueShape) -> None:
        self._shape[number, argument] = shape
        place = number * _PLACES + argument
        if shape <= ValueShape.UNSIGNED_64 or argument == _RESULT:
            self._varint[place] = len(self._pieces) - 1
            for digits in range(1, MAX_VARINT + 1):
                self._pieces.add(attribute_up_to_digits(name, INT_VALUE, digits))
        if shape in (ValueShape.POINTER, ValueShape.HEX):
            self._hex[place] = len(self._pieces) - 1
            for digits in range(1, MAX_HEX + 1):
                head = b"\x0a" + varint(len("0x") + digits) + b"0x"
                self._pieces.add(attribute_up_to_digits(name, head, digits))


def _bits(batch: SpanBatch) -> UInt64:
    bits = np.empty((len(batch), _PLACES), np.uint64)
    bits[:, :_RESULT] = batch.arguments
    bits[:, _RESULT] = batch.result.view(np.uint64)
    return bits.reshape(-1)


def _ending(outcome: int, errno: int) -> bytes:
    error = errno_name(-errno)
    said = attributes(SPAN_ATTRIBUTE, ending_attributes(SpanOutcome(outcome), error))
    return said + (error_status(error) if error else b"")
