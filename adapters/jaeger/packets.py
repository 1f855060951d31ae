"""Batches as packets for an agent: messages `emitBatch` of Jaeger's `agent.thrift`."""

from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen
from opentelemetry.exporter.jaeger.thrift.gen.agent.Agent import Client
from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Batch
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.transport.TTransport import TMemoryBuffer

from .encoding import encode_compact
from .sender import Packet
from .thrift_values import ThriftBatch, ThriftStructure

MAX_PACKET_BYTES = 65_000
"""What agents read at most, unless they are told otherwise."""

MAX_PROCESS_BYTES = MAX_PACKET_BYTES // 2
"""The rest is for spans."""

MAX_TEXT, MIN_TEXT = 1 << 16, 16
"""Texts that have to be cut have half of this at first, and never less than that, in characters."""

_COUNT_BYTES = 2
"""What the number of spans may take beside its place in the header of their list."""


def packets_of(batch: ThriftBatch) -> list[Packet]:
    """Encode a batch: its spans in order, each packet as full as they let it be.

    Of what is too large for a packet of its own, texts are cut, the longest first.
    """
    process = _fitting(batch.process, MAX_PROCESS_BYTES)
    if process is None:
        return [Packet(b"", len(batch.spans))]
    room = MAX_PACKET_BYTES - len(_message(process, ())) - _COUNT_BYTES
    groups = _groups((_fitting(one, room) for one in batch.spans), room)
    return [
        Packet(_message(process, group), len(group)) if group else Packet(b"", 1)
        for group in groups
    ]


def _groups(spans: Iterable[bytes | None], room: int) -> Iterator[list[bytes]]:
    """Put together what fits; a span that fits nowhere is a group without any."""
    group: list[bytes] = []
    left = room
    for span in spans:
        if group and (span is None or len(span) > left):
            yield group
            group, left = [], room
        if span is None:
            yield []
        else:
            group.append(span)
            left -= len(span)
    if group:
        yield group


def _fitting(structure: ThriftStructure, room: int) -> bytes | None:
    """Encode it, with texts cut as much as they must be; None if that does not help."""
    encoded, length = encode_compact(structure), MAX_TEXT
    while len(encoded) > room:
        if length <= MIN_TEXT:
            return None
        length //= 2
        encoded = encode_compact(_shorter(structure, length))
    return encoded


def _shorter(structure: ThriftStructure, length: int) -> ThriftStructure:
    """Copy it with texts of so many characters at most; keys stay whole."""
    shorter = type(structure)()
    for name, value in vars(structure).items():
        kept = value
        if isinstance(value, str) and name != "key":
            kept = value[:length]
        elif isinstance(value, list):
            kept = [_shorter(one, length) for one in value]
        setattr(shorter, name, kept)
    return shorter


@frozen
class _Encoded:
    """A structure that is encoded already; the generated code writes the message around it."""

    data: bytes

    def write(self, protocol: TCompactProtocol) -> None:
        protocol.trans.write(self.data)


def _message(process: bytes, spans: Sequence[bytes]) -> bytes:
    buffer = TMemoryBuffer()
    batch = Batch(process=_Encoded(process), spans=[_Encoded(one) for one in spans])
    Client(TCompactProtocol(buffer)).emitBatch(batch)
    return bytes(buffer.getvalue())
