import asyncio
from collections.abc import AsyncIterator

import pytest
from attrs import define, field

from container_tracer.domain.model.guests.connection_stats import GuestEnd
from container_tracer.domain.model.guests.peer import GuestCid, GuestPeer, GuestSocket
from container_tracer.domain.model.guests.slots import GuestSlots
from container_tracer.domain.model.single_span import SingleSpan
from container_tracer.domain.services.guests.frame_room import FrameRoom
from container_tracer.domain.services.guests.peers import GuestPeers
from container_tracer.domain.services.guests.reception import (
    CROWDED_SECONDS,
    REST,
    WAKING_NS,
    GuestReception,
)
from container_tracer.domain.services.open_span import OpenSpan
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.guest_connections import FakeGuestConnection, FakeGuestConnections
from container_tracer.fakes.virtual_machines import FakeVirtualMachines
from container_tracer.ports.errors import DiscoveryFailed, GuestLost, GuestsUnreachable

MAX_BYTES = 100_000


def framed(*payloads: bytes) -> bytes:
    return b"".join(len(one).to_bytes(8, "big") + one for one in payloads)


def box(number: int = 1) -> GuestSocket:
    return GuestSocket(path=f"/run/vc/vm/box-{number}/clh.sock", sandbox_id=f"box-{number}")


@define
class KnownGuest:
    peer: GuestPeer
    payloads: list[bytes] = field(factory=list)
    broken: list[str] = field(factory=list)
    is_gone: bool = False

    def took(self, payload: bytes) -> None:
        self.payloads.append(payload)

    def broke(self, reason: str) -> None:
        self.broken.append(reason)

    def left(self) -> None:
        self.is_gone = True


@define
class KnownGuests:
    seen: list[KnownGuest] = field(factory=list)
    crowded_for: int = 0
    """How often it still says that it is crowded."""

    @property
    def is_crowded(self) -> bool:
        self.crowded_for -= 1
        return self.crowded_for >= 0

    def guest(self, peer: GuestPeer) -> KnownGuest:
        self.seen.append(KnownGuest(peer))
        return self.seen[-1]


@define
class Book:
    """Who sees the tracer's own spans."""

    over: list[SingleSpan] = field(factory=list)

    def began(self, span: OpenSpan) -> None:
        pass

    def ended(self, span: SingleSpan) -> None:
        self.over.append(span)


@define
class Reception:
    connections: FakeGuestConnections
    machines: FakeVirtualMachines
    guests: KnownGuests
    service: GuestReception
    book: "Book"

    async def connect(self, address: GuestSocket | GuestCid, *parts: bytes) -> FakeGuestConnection:
        connection = self.connections.connect(address).send(*parts)
        await self.settle()
        return connection

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    @property
    def ends(self) -> dict[GuestEnd, int]:
        return dict(self.service.stats.ends)


@pytest.fixture
async def reception() -> AsyncIterator[Reception]:
    connections, machines, guests = FakeGuestConnections(), FakeVirtualMachines(), KnownGuests()
    clock, book = FakeClock(), Book()
    service = GuestReception(
        connections=connections,
        peers=GuestPeers(machines=machines, clock=clock),
        guests=guests,
        own_spans=OwnSpans(clock=clock, observers=[book]),
        room=FrameRoom(total_bytes=MAX_BYTES + 8, clock=clock),
        clock=clock,
        max_frame_bytes=MAX_BYTES,
        slots=GuestSlots(per_guest=2, in_all=5),
    )
    await service.start()
    yield Reception(connections, machines, guests, service, book)
    await service.close()
    assert not connections.is_open
    assert service.failure == ""
    assert service.stats.open == 0


async def test_guests_are_heard_at_the_same_time(reception: Reception) -> None:
    one = await reception.connect(box(1), framed(b"a", b"b"))
    two = await reception.connect(box(2), framed(b"c"))
    one.send(framed(b"d")[:5])
    two.send(framed(b"e"), b"")
    await reception.settle()
    one.send(framed(b"d")[5:], b"")
    await reception.settle()
    first, second = reception.guests.seen
    assert (first.payloads, first.peer.sandbox_id) == ([b"a", b"b", b"d"], "box-1")
    assert (second.payloads, second.peer.sandbox_id) == ([b"c", b"e"], "box-2")
    assert first.is_gone
    assert one.closed
    assert reception.ends == {GuestEnd.ENDED: 2}
    assert first.broken == []


@pytest.mark.parametrize(
    ("parts", "end", "reason"),
    [
        ((framed(b"lost")[:-1], b""), GuestEnd.CUT_SHORT, "incomplete"),
        (((2**60).to_bytes(8, "big"), b"more"), GuestEnd.TOO_LONG, "too_long"),
    ],
)
async def test_a_broken_frame_is_counted_and_disturbs_nobody_else(
    parts: tuple[bytes, ...], end: GuestEnd, reason: str, reception: Reception
) -> None:
    good = await reception.connect(box(1), framed(b"a"))
    bad = await reception.connect(box(2), framed(b"b"), *parts)
    good.send(framed(b"c"))
    await reception.settle()
    assert reception.guests.seen[0].payloads == [b"a", b"c"]
    assert reception.guests.seen[1].payloads == [b"b"]
    assert (reception.ends, reception.guests.seen[1].broken) == ({end: 1}, [reason])
    assert bad.closed
    assert not good.closed


async def test_a_connection_that_breaks_loses_the_frame_that_had_begun(
    reception: Reception,
) -> None:
    for data in (b"", framed(b"half")[:9]):
        connection = await reception.connect(box(), *([data] if data else []))
        connection.incoming.put_nowait(GuestLost("The connection broke."))
        await reception.settle()
    assert reception.ends == {GuestEnd.LOST: 2}
    assert [one.broken for one in reception.guests.seen] == [[], ["incomplete"]]


async def test_a_guest_has_so_many_connections_and_all_have_so_many(reception: Reception) -> None:
    greedy = [await reception.connect(box(1)) for _ in range(4)]
    assert [one.closed for one in greedy] == [False, False, True, True]
    others = [await reception.connect(GuestCid(number)) for number in range(3, 8)]
    assert [one.closed for one in others] == [False, False, False, True, True]
    assert (reception.service.stats.connected, reception.service.stats.refused) == (5, 4)
    greedy[0].send(b"")
    await reception.settle()
    assert not (await reception.connect(box(9))).closed


async def test_who_only_keeps_it_busy_is_heard_for_two_thirds_of_the_time(
    reception: Reception,
) -> None:
    one = await reception.connect(box())
    before_ns = reception.service.clock.trace_ns()
    for _ in range(1000):
        one.send(b"\0")
    for _ in range(100):
        await reception.settle()
    rested_seconds = (reception.service.clock.trace_ns() - before_ns) / 1e9
    assert rested_seconds == pytest.approx(1000 * WAKING_NS * REST / 1e9, rel=0.2)


async def test_a_number_is_looked_up_for_each_connection(reception: Reception) -> None:
    def qemu(sandbox: str) -> str:
        return f"/usr/bin/qemu-system-x86_64 -name sandbox-{sandbox} -device x,guest-cid=77 -m 1"

    for sandbox in ("a" * 64, "b" * 64):
        reception.machines.lines = ["qemu-x guest-cid=777 sandbox-" + "c" * 64, qemu(sandbox)]
        (await reception.connect(GuestCid(77))).send(b"")
        await reception.settle()
    assert [one.peer.sandbox_id for one in reception.guests.seen] == ["a" * 64, "b" * 64]
    assert reception.guests.seen[0].peer.vmm == "qemu-system-x86_64"


async def test_who_cannot_be_looked_up_is_heard_all_the_same(reception: Reception) -> None:
    reception.machines.failure = DiscoveryFailed("no procfs")
    await reception.connect(GuestCid(77), framed(b"a"))
    (guest,) = reception.guests.seen
    assert (guest.peer, guest.payloads) == (GuestPeer(address="vsock:77"), [b"a"])


async def test_long_frames_wait_for_each_other_and_short_ones_for_nobody(
    reception: Reception,
) -> None:
    long = framed(b"x" * MAX_BYTES)
    one = await reception.connect(box(1), long[:20])
    two = await reception.connect(box(2), long[:20])
    two.send(long[20:])
    three = await reception.connect(box(3), framed(b"short"))
    assert two.incoming.qsize() == 1, "it is not read while there is no room"
    assert reception.guests.seen[2].payloads == [b"short"]
    one.send(long[20:], framed(b"next"))
    await reception.settle()
    assert [len(payload) for payload in reception.guests.seen[0].payloads] == [MAX_BYTES, 4]
    assert [len(payload) for payload in reception.guests.seen[1].payloads] == [MAX_BYTES]
    assert reception.service.room.held_bytes == 0
    assert not three.closed


async def test_each_connection_is_a_span_of_the_tracers_own(reception: Reception) -> None:
    for data in (b"", (2**60).to_bytes(8, "big")):
        await reception.connect(box(), framed(b"a"), data)
    well, badly = reception.book.over
    assert (well.name, well.kind, well.status) == ("guest", "consumer", "unset")
    assert well.attributes == {
        "container_tracer.guest.address": box().path,
        "container_tracer.sandbox.id": "box-1",
        "container_tracer.vmm": "",
        "container_tracer.guest.end": "ended",
    }
    assert (badly.status, badly.attributes["container_tracer.guest.end"]) == ("error", "too_long")
    assert "a frame claims" in badly.status_message


async def test_guests_wait_while_exporters_catch_up_but_not_for_ever(reception: Reception) -> None:
    reception.guests.crowded_for = 10
    await reception.connect(box(1), framed(b"a"))
    await reception.connect(box(2), framed(b"b"))
    assert [one.payloads for one in reception.guests.seen] == [[b"a"], [b"b"]]
    assert reception.guests.crowded_for < 0
    reception.guests.crowded_for = 1_000_000
    before_ns = reception.service.clock.trace_ns()
    await reception.connect(box(3), framed(b"c"), framed(b"d"))
    for _ in range(10):
        await reception.settle()
    assert reception.guests.seen[2].payloads == [b"c", b"d"]
    assert reception.service.clock.trace_ns() - before_ns >= 2 * CROWDED_SECONDS * 1e9


async def test_what_is_sent_before_the_end_is_taken_and_the_rest_is_counted(
    reception: Reception,
) -> None:
    connection = await reception.connect(box(), framed(b"a"))
    await reception.service.close()
    assert reception.guests.seen[0].payloads == [b"a"]
    assert reception.guests.seen[0].is_gone
    assert connection.closed
    assert reception.ends == {GuestEnd.STOPPED: 1}


async def test_who_connects_at_the_very_end_is_hung_up_on(reception: Reception) -> None:
    late = reception.connections.connect(box())
    await reception.service.step()
    await reception.service.close()
    await reception.settle()
    assert late.closed


async def test_where_guests_must_be_heard_and_cannot_it_does_not_start(
    reception: Reception,
) -> None:
    reception.connections.failure = GuestsUnreachable("no VSOCK")
    with pytest.raises(GuestsUnreachable):
        await reception.service.start()
