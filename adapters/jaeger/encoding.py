"""Thrift structures as bytes, in C where Thrift's library for that is there."""

from collections.abc import Callable
from typing import Any

from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Batch, Process, Span
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.protocol.TCompactProtocol import TCompactProtocolAccelerated
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer

from .thrift_values import ThriftBatch, ThriftStructure


def encode_batch(batch: ThriftBatch) -> bytes:
    """Write a batch in Thrift's binary protocol."""
    return _encoded(batch, TBinaryProtocolAccelerated)


def encode_compact(structure: ThriftStructure) -> bytes:
    """Write a span or a process in Thrift's compact protocol."""
    return _encoded(structure, TCompactProtocolAccelerated)


def _encoded(structure: ThriftStructure, protocol_type: Callable[[TMemoryBuffer], Any]) -> bytes:
    buffer = TMemoryBuffer()
    protocol = protocol_type(buffer)
    fast_encode = protocol._fast_encode  # noqa: SLF001 - generated code reads it too
    if fast_encode is not None:
        return bytes(fast_encode(structure, _TYPES[type(structure)]))
    structure.write(protocol)
    return bytes(buffer.getvalue())


def _type_arguments(type_id: int, arguments: Any) -> Any:  # noqa: ANN401 - of many shapes
    """Describe a type as Thrift's C library wants it now: the generated code is too old for it.

    It names a structure by a list of class and fields, where the generated code has a tuple.
    """
    if type_id == TType.STRUCT:
        structure, fields = arguments
        return [structure, tuple(one and _field(*one) for one in fields)]
    if type_id == TType.LIST:
        element, its_arguments, immutable = arguments
        return (element, _type_arguments(element, its_arguments), immutable)
    return arguments


def _field(
    number: int,
    type_id: int,
    name: str,
    arguments: Any,  # noqa: ANN401 - of many shapes
    default: object,
) -> tuple[object, ...]:
    return (number, type_id, name, _type_arguments(type_id, arguments), default)


_TYPES = {
    one: _type_arguments(TType.STRUCT, (one, one.thrift_spec)) for one in (Batch, Process, Span)
}
