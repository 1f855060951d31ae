"""Thrift structures as bytes, in the binary protocol."""

from typing import Any

from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Batch
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer

from .translation import ThriftBatch


def encode_batch(batch: ThriftBatch) -> bytes:
    """Write a batch in Thrift's binary protocol, in C where Thrift's library for that is there."""
    buffer = TMemoryBuffer()
    protocol = TBinaryProtocolAccelerated(buffer)
    fast_encode = protocol._fast_encode  # noqa: SLF001 - generated code reads it too
    if fast_encode is not None:
        return bytes(fast_encode(batch, _BATCH_TYPE))
    batch.write(protocol)
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


_BATCH_TYPE = _type_arguments(TType.STRUCT, (Batch, Batch.thrift_spec))
