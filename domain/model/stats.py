"""What became of every event, counted to the unit.

Two identities hold at any moment, and are what this program promises:

- per source: recorded = attributed + unattributed + lost + malformed + pending
- per session: attributed = filtered_out + sampled_out + passed, and for each of its exporters
  passed = delivered + dropped + pending

All quantities are numbers of kernel events. A span counts the events it was made of.
"""

from collections.abc import Mapping

from attrs import define, field, frozen


@frozen
class CpuCounters:
    """`per_cpu/cpuN/stats` of a tracefs instance: the kernel's own numbers.

    `entries` are in the buffer, `overrun` were overwritten before they were read, `dropped`
    were refused because the buffer was full, `read` were taken out by a reader.
    """

    cpu: int
    entries: int = 0
    overrun: int = 0
    dropped: int = 0
    read: int = 0

    @property
    def recorded(self) -> int:
        """All events the kernel made on this CPU."""
        return self.entries + self.overrun + self.dropped + self.read

    @property
    def lost(self) -> int:
        """Events that nobody can read any more."""
        return self.overrun + self.dropped

    def since(self, earlier: "CpuCounters") -> "CpuCounters":
        """Return what came after an earlier reading; `entries` is what is there now."""
        return CpuCounters(
            cpu=self.cpu,
            entries=self.entries,
            overrun=self.overrun - earlier.overrun,
            dropped=self.dropped - earlier.dropped,
            read=self.read - earlier.read,
        )


@frozen(kw_only=True)
class SourceStats:
    """The balance of one source: what the kernel recorded and where it went."""

    recorded: int = 0
    attributed: int = 0
    unattributed: int = 0
    lost: int = 0
    malformed: int = 0
    pending: int = 0
    cpus: tuple[CpuCounters, ...] = ()

    @property
    def balance(self) -> int:
        """Zero when every recorded event is accounted for."""
        known = self.attributed + self.unattributed + self.lost + self.malformed + self.pending
        return self.recorded - known

    def since(self, earlier: "SourceStats") -> "SourceStats":
        """Return what came after an earlier balance; what was pending then came after it."""
        settled = {one.cpu: one for one in earlier.cpus}
        return SourceStats(
            recorded=self.recorded - (earlier.recorded - earlier.pending),
            attributed=self.attributed - earlier.attributed,
            unattributed=self.unattributed - earlier.unattributed,
            lost=self.lost - earlier.lost,
            malformed=self.malformed - earlier.malformed,
            pending=self.pending,
            cpus=tuple(one.since(settled.get(one.cpu, CpuCounters(one.cpu))) for one in self.cpus),
        )


@define
class ExporterStats:
    """The balance of one exporter of one session.

    `delay` says why spans wait for their destination to come back, `failure` why some were
    dropped; each is the empty string otherwise.
    """

    delivered: int = 0
    dropped: int = 0
    pending: int = 0
    delivered_spans: int = 0
    dropped_spans: int = 0
    pending_spans: int = 0
    delay: str = ""
    failure: str = ""

    @property
    def error(self) -> str:
        """Say what is wrong now, or was, or return the empty string."""
        if self.delay:
            return f"{self.delay}; retrying, {self.pending_spans} spans wait"
        return self.failure

    def expect(self, *, spans: int, events: int) -> None:
        """Count what is on its way."""
        self.pending += events
        self.pending_spans += spans

    def deliver(self, *, spans: int, events: int) -> None:
        """Count what has arrived; it was expected."""
        self.expect(spans=-spans, events=-events)
        self.delivered += events
        self.delivered_spans += spans

    def drop(self, *, spans: int, events: int) -> None:
        """Count what will never arrive; it was expected."""
        self.expect(spans=-spans, events=-events)
        self.dropped += events
        self.dropped_spans += spans


@define
class SessionStats:
    """The balance of one run of one session.

    `open` are entered calls that have not returned yet: passed on to nobody so far, so they
    are part of `passed` and of every exporter's pending events. `source` is its source's
    balance since the session joined it, so `source.lost` is what may be missing here.
    """

    attributed: int = 0
    filtered_out: int = 0
    sampled_out: int = 0
    open: int = 0
    spans: int = 0
    incomplete_spans: int = 0
    exporters: dict[str, ExporterStats] = field(factory=dict)
    attributed_by_cpu: dict[int, int] = field(factory=dict)
    source: SourceStats = field(factory=SourceStats)

    @property
    def passed(self) -> int:
        """Events neither filtered nor sampled out."""
        return self.attributed - self.filtered_out - self.sampled_out

    @property
    def balances(self) -> Mapping[str, int]:
        """By exporter, zero when every event of the session is accounted for."""
        return {
            name: self.passed - (one.delivered + one.dropped + one.pending + self.open)
            for name, one in self.exporters.items()
        }


def parse_cpu_counters(cpu: int, text: str) -> CpuCounters:
    """Read `per_cpu/cpuN/stats` (kernel/trace/trace.c, tracing_stats_read)."""
    numbers = {
        name.strip(): int(value)
        for name, _, value in (line.partition(":") for line in text.splitlines())
        if value.strip().isdecimal()
    }
    return CpuCounters(
        cpu=cpu,
        entries=numbers.get("entries", 0),
        overrun=numbers.get("overrun", 0),
        dropped=numbers.get("dropped events", 0),
        read=numbers.get("read events", 0),
    )
