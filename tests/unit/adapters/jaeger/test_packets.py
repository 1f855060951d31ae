"""How batches become packets for an agent."""

from itertools import pairwise

import numpy as np
import pytest
from attrs import evolve
from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Log, Tag, TagType
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.transport.TTransport import TMemoryBuffer

from container_tracer.adapters.jaeger import packets
from container_tracer.adapters.jaeger.encoding import encode_batch, encode_compact
from container_tracer.adapters.jaeger.packets import MAX_PACKET_BYTES, packets_of
from container_tracer.adapters.jaeger.thrift_values import ThriftBatch
from container_tracer.adapters.jaeger.translation import BatchTranslation
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.domain.model.spans import SpanBatch
from container_tracer.domain.model.traces import SessionTrace, cut
from container_tracer.fakes.jaeger_agent import read_packet
from container_tracer.fakes.jaeger_collector import CollectedSpan, read_batch
from container_tracer.fakes.spans import NOON_NS, awkward_batch, many_spans

SESSION = SessionTrace.of("42", started_ns=NOON_NS, name="why", attributes={"node": "n1"})


def thrift(batch: SpanBatch) -> ThriftBatch:
    traced = cut(batch, SESSION)
    translation = BatchTranslation(resource=ServiceResource(service_name="t"), session=SESSION)
    return translation.spans(traced, np.arange(len(batch)), np.arange(len(traced.slices)))


def read(batch: ThriftBatch) -> list[CollectedSpan]:
    return [span for one in packets_of(batch) for span in read_packet(one.body)]


def text_tag(key: str, text: str) -> Tag:
    return Tag(key=key, vType=TagType.STRING, vStr=text)


@pytest.mark.parametrize("batch", [awkward_batch(), many_spans(300)], ids=["awkward", "many"])
def test_an_agent_reads_what_a_collector_does(batch: SpanBatch) -> None:
    whole = thrift(batch)
    parts = [(one.spans, read_packet(one.body)) for one in packets_of(whole)]
    assert [span for _, part in parts for span in part] == read_batch(encode_batch(whole))
    assert [count for count, _ in parts] == [len(part) for _, part in parts]


def test_a_packet_is_as_large_as_agents_take_and_as_full_as_can_be() -> None:
    whole = thrift(many_spans(700))
    found = packets_of(whole)
    assert max(len(one.body) for one in found) <= MAX_PACKET_BYTES
    first_of = np.cumsum([one.spans for one in found]).tolist()
    for (one, _), begin in zip(pairwise(found), first_of, strict=False):
        # Three bytes are kept for how many spans there are.
        assert len(one.body) + len(encode_compact(whole.spans[begin])) > MAX_PACKET_BYTES - 3


def test_a_batch_without_spans_is_no_packet() -> None:
    assert packets_of(thrift(many_spans(1).take(slice(0)))) == []


def test_of_a_span_that_is_too_large_the_longest_texts_are_cut_first() -> None:
    whole = thrift(many_spans(1))
    span = whole.spans[1]
    span.tags = [text_tag("short", "y" * 500)] + [text_tag(f"k{n}", "x" * 4_096) for n in range(60)]
    span.logs = [Log(timestamp=1, fields=[text_tag("event", "z" * 4_096)])]
    before, after = read_batch(encode_batch(whole)), read(whole)
    expected = {"short": "y" * 500} | {f"k{n}": "x" * 1_024 for n in range(60)}
    assert after[1].tags == expected
    assert [evolve(one, tags={}) for one in after] == [evolve(one, tags={}) for one in before]
    assert span.tags[1].vStr == "x" * 4_096  # tags are shared between spans


def test_a_span_that_cannot_be_cut_enough_is_lost_and_those_beside_it_are_not() -> None:
    whole = thrift(many_spans(4))
    whole.spans[2].tags = [Tag(key=f"k{n}", vType=TagType.LONG, vLong=n) for n in range(9_000)]
    found = packets_of(whole)
    assert [(one.spans, bool(one.body)) for one in found] == [
        (2, True),
        (1, False),
        (len(whole.spans) - 3, True),
    ]


def test_who_sends_spans_is_cut_or_they_are_lost() -> None:
    whole = thrift(many_spans(3))
    whole.process.tags = [text_tag(f"k{n}", "x" * 4_096) for n in range(20)]
    assert len(read(whole)) == len(whole.spans)
    whole.process.tags = [text_tag("k" * 40_000, "")]
    assert [(one.spans, one.body) for one in packets_of(whole)] == [(len(whole.spans), b"")]


def test_without_thrifts_library_in_c_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = thrift(awkward_batch())
    fast = packets_of(whole)
    monkeypatch.setattr(packets, "encode_compact", by_generated_code)
    assert packets_of(whole) == fast


def by_generated_code(structure: ThriftBatch) -> bytes:
    buffer = TMemoryBuffer()
    structure.write(TCompactProtocol(buffer))
    return bytes(buffer.getvalue())
