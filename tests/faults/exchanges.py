"""Requests on their way through a proxy: what is done to each, and what its sender got to know."""

import asyncio
import random
from collections.abc import Callable, Mapping
from enum import Enum

from attrs import define, field, frozen

MARK = "x-exchange"
"""Header by which a collector tells the exchanges of a proxy apart."""


class Fault(Enum):
    """What a proxy does to a request or its answer; the collector gets it whole from `SLOW` on."""

    REFUSES = "hangs up, and refuses connections for a while"
    IGNORES = "says nothing, and does nothing"
    TALKS_GARBAGE = "answers with noise"
    RESETS_REQUEST = "resets the connection in the middle of the request"
    SLOW = "waits before it passes the answer on"
    TRICKLES = "passes the answer on byte by byte"
    RESETS_ANSWER = "resets the connection when there is an answer"
    BREAKS_ANSWER = "hangs up in the middle of the answer"
    SWALLOWS_ANSWER = "keeps the answer to itself"
    CLOSES_HALF = "says that it will not answer, but listens on"
    ANSWERS_TWICE = "says once more what it has said, at once"


GAP_SECONDS = 0.08

SILENCE = {Fault.IGNORES: 0.5, Fault.SWALLOWS_ANSWER: 0.5}


@define(eq=False)
class Exchange:
    """A request and its answer.

    `answered` is when its sender could know what became of it, None if it cannot; `cut` tells
    that it knows the status and not the rest.
    """

    number: int
    began: float
    fault: Fault | None
    answered: float | None = None
    cut: bool = False


@define(eq=False)
class Exchanges:
    """All that went through a proxy; `faults` says how often each of these is done per request.

    What is drawn depends on the seed alone, as far as the order of requests does. `gaps` are times
    in which this machine let nobody here do anything.
    """

    clock: Callable[[], float]
    seed: int
    faults: Mapping[Fault, float] = field(factory=dict)
    every: list[Exchange] = field(factory=list)
    gaps: list[tuple[float, float]] = field(factory=list)
    drawn: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.drawn = random.Random(self.seed)  # noqa: S311 - not for secrets

    def begin(self) -> Exchange:
        exchange = Exchange(len(self.every), self.clock(), self._fault())
        self.every.append(exchange)
        return exchange

    def answer(self, exchange: Exchange, *, cut: bool = False) -> None:
        """Note that its sender can know the status by now, and if not `cut`, all the rest."""
        if exchange.answered is None:
            exchange.answered = self.clock()
        exchange.cut = cut

    async def watch_gaps(self) -> None:
        """Note when the event loop had no turn for long."""
        before = self.clock()
        while True:
            await asyncio.sleep(GAP_SECONDS / 10)
            now = self.clock()
            if now - before > GAP_SECONDS:
                self.gaps.append((before, now))
            before = now

    def in_time(self, exchange: Exchange, *, patience_seconds: float) -> bool:
        """Tell whether there was an answer, and its sender surely waited for it."""
        begin, end = exchange.began, exchange.answered
        if end is None or end - begin > patience_seconds:
            return False
        return not any(
            last - first > patience_seconds / 3 and last > begin - 2 * patience_seconds
            for first, last in self.gaps
            if first < end
        )

    @property
    def hushed(self) -> bool:
        """Tell whether nobody gets an answer any more."""
        return self.faults is SILENCE

    @property
    def done(self) -> list[str]:
        """Say what was done, in order."""
        return [one.fault.name for one in self.every if one.fault]

    def _fault(self) -> Fault | None:
        number = self.drawn.random()
        for fault, share in self.faults.items():
            if number < share:
                return fault if self.hushed or self._not_twice(fault) else None
            number -= share
        return None

    def _not_twice(self, fault: Fault) -> bool:
        """Tell whether there is time for it: whoever gets no answer waits long for it."""
        return fault not in SILENCE or not SILENCE.keys() & {one.fault for one in self.every}


@frozen
class Frame:
    """A frame of HTTP/2 (RFC 9113, 4.1): its header of nine bytes, and its payload."""

    head: bytes
    payload: bytes

    @property
    def kind(self) -> int:
        return self.head[3]

    @property
    def ends_stream(self) -> bool:
        return self.kind in (DATA, HEADERS) and bool(self.head[4] & 1)

    @property
    def stream(self) -> int:
        return int.from_bytes(self.head[5:9], "big") & 0x7FFFFFFF

    @property
    def data(self) -> bytes:
        return self.head + self.payload

    def with_header(self, name: str, value: str) -> "Frame":
        """Add a header that no table remembers (RFC 7541, 6.2.2)."""
        assert not self.head[4] & 0x8, "it is padded"
        assert self.head[4] & 0x4, "more of the headers follow"
        said = b"".join(bytes([len(one)]) + one.encode() for one in (name, value))
        payload = self.payload + b"\x00" + said
        return Frame(len(payload).to_bytes(3, "big") + self.head[3:], payload)


DATA, HEADERS = 0, 1
