"""Every frame of a guest is malformed, sampled out or a span, and every span reaches everybody."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from attrs import define, evolve, field
from structlog.testing import capture_logs

from container_tracer.domain.model.guests.agent_span import AgentSpan
from container_tracer.domain.model.guests.missing_spans import ROOT_NAME
from container_tracer.domain.model.guests.peer import GuestPeer
from container_tracer.domain.model.guests.redaction import GuestTexts
from container_tracer.domain.model.guests.stats import GuestStats
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.domain.model.sampling import SampleRate
from container_tracer.domain.model.single_span import SingleSpan
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.domain.services import single_span_delivery
from container_tracer.domain.services.guests import spans as guest_spans
from container_tracer.domain.services.guests.guest import LOOK_SECONDS, Guest, GuestTerms
from container_tracer.domain.services.guests.spans import GRACE_SECONDS, GuestSpans
from container_tracer.domain.services.single_span_delivery import SingleSpanCounts
from container_tracer.fakes.agent_span import agent_bincode, agent_json
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter

WEB = Container(name="web", pod="shop", runtime="kata-qemu", isolated=True)
SHOP = Pod(name="shop", namespace="sales", uid="u1", containers=(WEB,))


@define
class HeldClock(FakeClock):
    """Time passes only for those who sleep for a moment; others wait until they are released."""

    released: asyncio.Event = field(factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        if seconds >= GRACE_SECONDS:
            await self.released.wait()
        else:
            await asyncio.sleep(0)


@define(eq=False)
class Stage:
    pods: dict[str, Pod] = field(factory=dict)
    exporters: list[FakeSingleSpanExporter] = field(
        factory=lambda: [FakeSingleSpanExporter("one"), FakeSingleSpanExporter("two")]
    )
    clock: HeldClock = field(factory=HeldClock)
    rate: SampleRate = field(factory=SampleRate)
    spans: GuestSpans = field(init=False)

    def __attrs_post_init__(self) -> None:
        terms = GuestTerms(
            resource=ServiceResource(service_name="kata-agent", node="n1"),
            pods=self.pods.get,
            sample_rate=self.rate,
            texts=GuestTexts(),
        )
        self.spans = GuestSpans(exporters=self.exporters, clock=self.clock, terms=terms)

    def guest(self, sandbox: str = "s1") -> Guest:
        return self.spans.guest(GuestPeer(address=f"/vm/{sandbox}", sandbox_id=sandbox))

    @property
    def arrived(self) -> list[SingleSpan]:
        return self.exporters[0].spans


def sent(number: int, parent: int = 0, *, trace: int = 1) -> AgentSpan:
    span = SingleSpan(
        name=f"span {number}",
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        started_ns=number,
        ended_ns=number + 10,
    )
    return AgentSpan(span=span, resource={})


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_frames_are_counted_and_spans_reach_every_exporter(stage: Stage) -> None:
    stage.rate = SampleRate(50)
    stage.__attrs_post_init__()
    await stage.spans.start()
    first, second = stage.guest("s1"), stage.guest("s2")
    traces = [number << 49 for number in range(1, 101)]
    for trace in traces:
        first.took(agent_json(sent(1, trace=trace)))
        second.took(agent_bincode(sent(2, trace=trace)))
        second.took(agent_bincode(sent(3, trace=trace))[:-1])
    second.broke("truncated")
    kept = {trace for trace in traces if stage.rate.keeps(trace.to_bytes(16, "big"))}
    assert 0 < len(kept) < 100
    out = 100 - len(kept)
    broken = Counter(cut_short=100, truncated=1)
    assert first.stats == GuestStats(
        frames=100, spans=len(kept), sampled_out=out, unattributed=len(kept)
    )
    assert second.stats == GuestStats(
        frames=201, spans=len(kept), sampled_out=out, malformed=broken, unattributed=len(kept)
    )
    total = stage.spans.stats
    assert total.frames == 301 == total.malformed.total() + total.sampled_out + total.spans
    await stage.spans.close()
    for exporter in stage.exporters:
        found = Counter((one.trace_id, one.span_id) for one in exporter.spans)
        assert set(found.values()) == {1}
        assert len(found) == 2 * len(kept)
        assert stage.spans.counts[exporter.name] == SingleSpanCounts(delivered=len(found))


async def test_a_pod_that_becomes_known_is_told_from_then_on(stage: Stage) -> None:
    guest = stage.guest()
    guest.took(agent_json(sent(1)))
    stage.pods["s1"] = evolve(SHOP, containers=())
    guest.took(agent_json(sent(2)))  # it is not asked for every span
    stage.clock.advance(LOOK_SECONDS)
    guest.took(agent_json(sent(3)))
    stage.pods["s1"] = SHOP
    stage.clock.advance(LOOK_SECONDS)
    guest.took(agent_json(sent(4)))
    del stage.pods["s1"]  # it has ended, and what it did last is still told of it
    stage.clock.advance(LOOK_SECONDS)
    guest.took(agent_json(sent(5)))
    await stage.spans.close()
    told = [one.origin.attributes if one.origin else {} for one in stage.arrived]
    assert [one.get("k8s.pod.name") for one in told] == [None, None, "shop", "shop", "shop"]
    assert [one.get("container.runtime.name") for one in told[2:]] == [None, *["kata-qemu"] * 2]
    assert (guest.stats.spans, guest.stats.unattributed) == (5, 2)
    assert stage.arrived[3].origin is stage.arrived[4].origin


async def test_what_a_guest_says_of_itself_it_says_once(stage: Stage) -> None:
    guest = stage.guest()
    for build in range(3):
        guest.took(agent_json(evolve(sent(build + 1), resource={"build": build})))
    await stage.spans.close()
    assert len({id(one.origin) for one in stage.arrived}) == 1
    assert [one.origin.attributes["build"] for one in stage.arrived if one.origin] == [0, 0, 0]


async def test_what_is_malformed_is_said_once_for_each_reason(stage: Stage) -> None:
    guest = stage.guest()
    with capture_logs() as logs:
        for _ in range(100):
            guest.took(b"{}")
            guest.took(b"")
            guest.broke("too_long")
    assert [one["reason"] for one in logs] == ["missing_field", "cut_short", "too_long"]
    await stage.spans.close()


async def test_a_fault_of_the_program_costs_a_frame_and_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = stage.guest()
    monkeypatch.setattr(GuestTexts, "exported", lambda *_: 1 / 0)
    with capture_logs() as logs:
        guest.took(agent_json(sent(1)))
    monkeypatch.undo()
    guest.took(agent_json(sent(2)))
    (told,) = logs
    assert isinstance(told["exc_info"], ZeroDivisionError)
    assert guest.stats.malformed == {"fault": 1}
    assert (guest.stats.frames, guest.stats.spans) == (2, 1)
    await stage.spans.close()


class TestGuestsThatLeave:
    async def test_their_missing_root_is_made_up_for_if_they_do_not_come_back(
        self, stage: Stage
    ) -> None:
        await stage.spans.start()
        guest = stage.guest()
        guest.took(agent_json(sent(2, 1)))
        guest.left()
        assert stage.spans.guests == []
        stage.clock.released.set()
        await until(lambda: len(stage.arrived) == 2)
        child, root = stage.arrived
        assert (root.name, root.span_id, root.parent_span_id) == (
            ROOT_NAME,
            child.parent_span_id,
            b"",
        )
        assert root.origin is child.origin
        assert (guest.stats.spans, guest.stats.synthetic) == (1, 1)
        await stage.spans.close()
        assert len(stage.arrived) == 2
        assert stage.spans.counts["one"].delivered == guest.stats.spans + guest.stats.synthetic

    async def test_who_comes_back_in_time_may_still_send_it(self, stage: Stage) -> None:
        await stage.spans.start()
        guest = stage.guest()
        guest.took(agent_json(sent(2, 1)))
        guest.left()
        assert stage.guest() is guest
        stage.clock.released.set()
        guest.took(agent_json(sent(1)))
        await stage.spans.close()
        assert [one.name for one in stage.arrived] == ["span 2", "span 1"]

    async def test_the_last_of_several_connections_counts(self, stage: Stage) -> None:
        await stage.spans.start()
        guest, same = stage.guest(), stage.guest()
        guest.took(agent_json(sent(2, 1)))
        guest.left()
        stage.clock.released.set()
        assert stage.spans.guests == [same]
        await until(lambda: len(stage.arrived) == 1)
        assert guest.stats.synthetic == 0
        await stage.spans.close()

    async def test_a_root_that_comes_too_late_is_exported_and_told(self, stage: Stage) -> None:
        await stage.spans.start()
        guest = stage.guest()
        guest.took(agent_json(sent(2, 1)))
        guest.left()
        stage.clock.released.set()
        await until(lambda: guest.stats.synthetic == 1)
        again = stage.guest()
        with capture_logs() as logs:
            again.took(agent_json(sent(1)))
        assert [one["event"] for one in logs] == ["guest.span_came_late"]
        assert again.stats.late == 1
        await stage.spans.close()
        assert [one.name for one in stage.arrived] == ["span 2", ROOT_NAME, "span 1"]

    async def test_when_the_tracer_ends_nothing_more_is_waited_for(self, stage: Stage) -> None:
        await stage.spans.start()
        left, there = stage.guest("s1"), stage.guest("s2")
        left.took(agent_json(sent(2, 1, trace=1)))
        there.took(agent_json(sent(2, 1, trace=2)))
        left.left()
        await stage.spans.close()
        there.left()
        assert Counter(one.name for one in stage.arrived) == {"span 2": 2, ROOT_NAME: 2}

    async def test_those_who_left_long_ago_are_forgotten_but_their_numbers_are_not(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guest_spans, "MAX_REMEMBERED", 2)
        stage.clock.released.set()
        for number in range(10):
            guest = stage.guest(f"s{number}")
            guest.took(agent_json(sent(1)))
            guest.left()
        await until(lambda: len(stage.spans._guests) == 2)
        assert stage.spans.stats.spans == 10
        await stage.spans.close()


async def test_a_guest_that_floods_takes_no_place_from_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_span_delivery, "QUEUE_SPANS", 50)
    flood, quiet = stage.guest("flood"), stage.guest("quiet")
    numbers: Iterator[int] = iter(range(1, 10_000))
    for _ in range(20):
        quiet.took(agent_bincode(sent(next(numbers))))
        for _ in range(50):
            flood.took(agent_bincode(sent(next(numbers))))
    await stage.spans.close()
    origins = Counter(
        one.origin.attributes["container_tracer.sandbox.id"] for one in stage.arrived if one.origin
    )
    assert origins == {"quiet": 20, "flood": 30}
    counts = stage.spans.counts["one"]
    assert counts == SingleSpanCounts(delivered=50, dropped=970)
    assert counts.delivered + counts.dropped == stage.spans.stats.spans
