"""What is sent, in which parts, and what is said of it when the collector misbehaves."""

import asyncio
import base64
from collections.abc import AsyncIterator

import numpy as np
import pytest

from container_tracer.adapters.jaeger import span_exporter
from container_tracer.adapters.jaeger.collector import (
    CollectorAddress,
    JaegerCollector,
    MovingCollector,
)
from container_tracer.adapters.jaeger.span_exporter import JaegerSink, JaegerSpanExporter
from container_tracer.adapters.jaeger.translation import BatchTranslation
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.domain.model.traces import SLICE_SPANS, cut
from container_tracer.fakes.http_collector import Answer, Manners
from container_tracer.fakes.jaeger_collector import CollectedSpan, FakeJaegerCollector
from container_tracer.fakes.spans import NOON_NS, awkward_batch, many_spans
from container_tracer.ports.errors import ExportDelayed, ExportFailed, ExportRejected
from container_tracer.ports.span_exporter import TraceContext

SESSION = TraceContext(session_id="7", user_context="why", started_ns=NOON_NS)
RESOURCE = ServiceResource(service_name="tracer")
WORD = "p\xe4:ss"
BUSY = Answer(status=503)
REFUSED = Answer(status=400, body=b"Unable to process request body")


@pytest.fixture
async def sink(collector: FakeJaegerCollector) -> AsyncIterator[JaegerSink]:
    sink = await exporter(collector).open(SESSION)
    yield sink
    await sink.close()


def exporter(collector: FakeJaegerCollector, **credentials: str) -> JaegerSpanExporter:
    address = CollectorAddress(url=collector.endpoint, **credentials)
    return JaegerSpanExporter(address=address, resource=RESOURCE)


def impatient(collector: FakeJaegerCollector) -> JaegerSink:
    """Make a sink that waits for an answer for a second only."""
    address = CollectorAddress(url=collector.endpoint)
    translation = BatchTranslation(resource=RESOURCE, session=SESSION.trace)
    return JaegerSink(JaegerCollector.at(address, seconds=1.0), translation, address.url)


def children(spans: list[CollectedSpan]) -> list[CollectedSpan]:
    return [span for span in spans if span.parent_id]


async def test_a_collector_is_sent_thrift_in_one_request_over_a_kept_connection(
    sink: JaegerSink, collector: FakeJaegerCollector
) -> None:
    await sink.write(many_spans(10))
    await sink.write(awkward_batch())
    assert {one.path for one in collector.posted} == {"/api/traces"}
    assert {one.headers["content-type"] for one in collector.posted} == {"application/x-thrift"}
    assert "authorization" not in collector.posted[0].headers
    assert (len(collector.posted), collector.connections) == (2, 1)
    assert {span.service for span in collector.spans} == {"tracer"}


async def test_a_user_is_named_to_the_collector(collector: FakeJaegerCollector) -> None:
    sink = await exporter(collector, user="me", password=WORD).open(SESSION)
    await sink.write(many_spans(1))
    await sink.close()
    basic = base64.b64encode(f"me:{WORD}".encode()).decode()
    assert collector.posted[0].headers["authorization"] == f"Basic {basic}"


def test_a_password_is_not_shown() -> None:
    assert WORD not in repr(CollectorAddress(url="http://x", user="me", password=WORD))


async def test_many_spans_go_in_parts_each_span_once_with_each_root(
    sink: JaegerSink, collector: FakeJaegerCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_exporter, "PART_SPANS", 1_000)
    batch = many_spans(3 * SLICE_SPANS + 500)
    await sink.write(batch)
    assert [len(children(part)) for part in parts_of(collector)] == [1_000, 1_000, 1_000, 500]
    traced = cut(batch, SESSION.trace)
    ids = np.concatenate([traced.span_id, traced.slices.root_id]).tolist()
    assert sorted(span.span_id for span in collector.spans) == sorted(ids)


def parts_of(collector: FakeJaegerCollector) -> list[list[CollectedSpan]]:
    found = []
    for one in collector.taken:
        alone = FakeJaegerCollector(posted=[one])
        found.append(alone.spans)
    return found


async def test_a_root_comes_with_the_first_of_its_spans(
    sink: JaegerSink, collector: FakeJaegerCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_exporter, "PART_SPANS", 7)
    await sink.write(many_spans(100))
    seen: set[int] = set()
    for part in parts_of(collector):
        seen |= {span.span_id for span in part if not span.parent_id}
        assert {span.parent_id for span in children(part)} <= seen


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_collector_is_asked_again_when_it_says(
    sink: JaegerSink, collector: FakeJaegerCollector, status: int
) -> None:
    collector.answers.append(Answer(status=status, headers={"Retry-After": "17"}))
    with pytest.raises(ExportDelayed, match=f"jaeger: {collector.url}.* answered {status}") as why:
        await sink.write(many_spans(1))
    assert why.value.retry_after_seconds == 17


async def test_a_collector_whose_storage_fails_is_asked_again(
    sink: JaegerSink, collector: FakeJaegerCollector
) -> None:
    collector.answers.append(Answer(status=500, body=b"Cannot submit Jaeger batch: server busy\n"))
    with pytest.raises(ExportDelayed, match=r"500 Said: Cannot .* busy$"):
        await sink.write(many_spans(1))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (REFUSED, "answered 400 Said: Unable to process request body$"),
        (Answer(status=500, body=b"a bug\x1b[2J"), r"answered 500 Said: a bug\\x1b\[2J$"),
        (Answer(status=401), "answered 401 Said; check JAEGER_USER and JAEGER_PASSWORD$"),
        (Answer(status=404), "answered 404 Said; check the path"),
        (Answer(status=302, headers={"Location": "http://y/"}), "302 Said; try http://y/$"),
        (Answer(status=413, body=b"x" * 10_000), "413 Said: x{300}$"),
    ],
)
async def test_a_refusal_is_final_and_says_why(
    sink: JaegerSink, collector: FakeJaegerCollector, answer: Answer, reason: str
) -> None:
    collector.answers.append(answer)
    with pytest.raises(ExportFailed, match=reason) as why:
        await sink.write(many_spans(1))
    assert type(why.value) is ExportFailed
    await sink.write(many_spans(2))
    assert len(children(collector.spans)) == 2


@pytest.mark.parametrize(
    "manners", [Manners.HANGS, Manners.HANGS_UP, Manners.BREAKS_OFF, Manners.TALKS_NONSENSE]
)
async def test_a_collector_with_bad_manners_is_asked_again(
    collector: FakeJaegerCollector, manners: Manners
) -> None:
    sink = impatient(collector)
    batch = many_spans(5)
    collector.answers.append(Answer(manners=manners))
    with pytest.raises(ExportDelayed, match=f"jaeger: {collector.url}"):
        await sink.write(batch)
    await sink.write(batch)
    await sink.close()
    assert len(children(collector.spans)) == 5


async def test_an_answer_that_breaks_off_after_its_status_is_an_answer(
    sink: JaegerSink, collector: FakeJaegerCollector
) -> None:
    collector.answer = Answer(status=400, headers={"Content-Length": "100"}, body=b"not all of it")
    with pytest.raises(ExportFailed, match="answered 400") as why:
        await sink.write(many_spans(1))
    assert type(why.value) is ExportFailed
    collector.answer = Answer(status=202, headers={"Content-Length": "100"})
    await sink.write(many_spans(2))


async def test_a_collector_may_come_up_later_and_go_and_come_back(
    collector: FakeJaegerCollector,
) -> None:
    sink = await exporter(collector).open(SESSION)
    for count in (1, 2):
        await collector.stop()
        batch = many_spans(count)
        with pytest.raises(ExportDelayed, match=f"jaeger: {collector.url}.* failed: "):
            await sink.write(batch)
        await collector.start()
        await sink.write(batch)
    await sink.close()
    assert len(children(collector.spans)) == 3


async def test_what_was_taken_is_not_sent_again(
    sink: JaegerSink, collector: FakeJaegerCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_exporter, "PART_SPANS", 10)
    batch = many_spans(35)
    for answers in ([Answer(), Answer(), BUSY], [BUSY], [Answer(), BUSY]):
        collector.answers.extend(answers)
        with pytest.raises(ExportDelayed):
            await sink.write(batch)
    await sink.write(batch)
    ids = [span.span_id for span in collector.spans]
    traced = cut(batch, SESSION.trace)
    assert sorted(ids) == sorted([*traced.span_id.tolist(), *traced.slices.root_id.tolist()])


async def test_another_batch_after_a_delayed_one_is_sent_from_its_beginning(
    sink: JaegerSink, collector: FakeJaegerCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_exporter, "PART_SPANS", 10)
    collector.answers.extend([Answer(), BUSY])
    with pytest.raises(ExportDelayed):
        await sink.write(many_spans(20))
    collector.posted.clear()
    await sink.write(many_spans(20))
    assert len(children(collector.spans)) == 20


async def test_a_part_that_is_refused_does_not_keep_others_from_being_sent(
    sink: JaegerSink, collector: FakeJaegerCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_exporter, "PART_SPANS", 10)
    batch = many_spans(35)
    collector.answers.extend([Answer(), REFUSED])
    with pytest.raises(ExportRejected, match="answered 400") as why:
        await sink.write(batch)
    assert (why.value.spans, why.value.events) == (10, batch.take(slice(10, 20)).events)
    taken = sorted(span.start_us for span in children(collector.spans))
    arrived = np.delete(batch.start_ns, np.s_[10:20])
    assert taken == ((arrived + 500) // 1000).tolist()


async def test_the_end_of_a_session_sends_its_own_span_once(
    collector: FakeJaegerCollector,
) -> None:
    sink = await exporter(collector).open(SESSION)
    await sink.close(ended_ns=NOON_NS + 5_000)
    await sink.close(ended_ns=NOON_NS + 9_000)
    (span,) = collector.spans
    assert (span.name, span.duration_us, span.parent_id) == ("why", 5, 0)
    assert span.span_id == int.from_bytes(SESSION.trace.span_id, "big")


async def test_a_session_that_never_began_has_no_span(collector: FakeJaegerCollector) -> None:
    sink = await exporter(collector).open(SESSION)
    await sink.close()
    assert collector.posted == []


async def test_a_session_span_that_is_delayed_can_be_sent_again(
    collector: FakeJaegerCollector,
) -> None:
    sink = await exporter(collector).open(SESSION)
    collector.answers.append(BUSY)
    with pytest.raises(ExportDelayed):
        await sink.close(ended_ns=NOON_NS)
    await sink.close(ended_ns=NOON_NS)
    assert len(collector.spans) == 1


async def test_a_session_span_that_is_refused_closes_nevertheless(
    collector: FakeJaegerCollector,
) -> None:
    sink = await exporter(collector).open(SESSION)
    collector.answers.append(REFUSED)
    with pytest.raises(ExportFailed, match="answered 400"):
        await sink.close(ended_ns=NOON_NS)
    with pytest.raises(ExportFailed, match="closed"):
        await sink.write(many_spans(1))
    await sink.close(ended_ns=NOON_NS)
    assert len(collector.posted) == 1


async def test_a_write_to_a_collector_that_hangs_can_be_broken_off(
    sink: JaegerSink, collector: FakeJaegerCollector
) -> None:
    collector.answer = Answer(manners=Manners.HANGS)
    writing = asyncio.create_task(sink.write(many_spans(1)), name="write")
    await collector.hears()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing


async def test_a_collector_that_moves_gets_what_the_last_one_did_not(
    collector: FakeJaegerCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_exporter, "PART_SPANS", 10)
    urls: list[str] = []

    def where() -> str:
        if not urls:
            raise ExportDelayed("It is being looked for.")
        return urls[-1]

    moving = JaegerSpanExporter(address=MovingCollector(where=where), resource=RESOURCE)
    sink, batch = await moving.open(SESSION), many_spans(30)
    assert sink.output.startswith("http://jaeger-collector:14268/api/traces trace_id=")
    with pytest.raises(ExportDelayed, match="looked for"):
        await sink.write(batch)
    urls.append(collector.endpoint)
    collector.answers.extend([Answer(), BUSY])
    with pytest.raises(ExportDelayed):
        await sink.write(batch)
    async with FakeJaegerCollector() as moved:
        urls.append(moved.endpoint)
        await sink.write(batch)
        await sink.close()
        assert (len(children(collector.spans)), len(children(moved.spans))) == (10, 20)
    assert moving.address.shown == urls[-1]
