"""The events of cgroups of the whole machine, as they come."""

from collections.abc import Iterator
from threading import Lock

import structlog
from attrs import define, field

from ...ports.errors import EventUnavailable, PortError, TracingUnavailable
from ...ports.kernel_tracer import KernelTracer, SourceSettings, TraceSource
from ..model.cgroup_events import ATTACH, WATCHED, CgroupEventDecoder, CgroupEvents
from ..model.errors import DataError

READ_BYTES = 1 << 20

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class CgroupStream:
    """Opens a source of these events, and reads it; from `open` to `close`, and again.

    Everything but `wait` is safe for threads, and may block for some tens of milliseconds.
    """

    tracer: KernelTracer
    settings: SourceSettings
    _source: TraceSource | None = None
    _decoder: CgroupEventDecoder | None = None
    _lock: Lock = field(factory=Lock)

    @property
    def is_open(self) -> bool:
        """Tell whether events are recorded."""
        return self._source is not None

    def open(self) -> None:
        """Begin to record, unless it does.

        Raises `TracingUnavailable`, or `EventUnavailable` where the kernel has no such events.
        """
        with self._lock:
            if self._source is None:
                self._source, self._decoder = self._opened()
                _log.info("watch.opened", source=self._source.name)

    def _opened(self) -> tuple[TraceSource, CgroupEventDecoder]:
        known = self.tracer.event_names()
        if ATTACH not in known:
            raise EventUnavailable(f"This kernel does not tell who enters cgroups ({ATTACH}).")
        events = {event: text for event, text in WATCHED.items() if event in known}
        source = self.tracer.open_watch(events, self.settings)
        try:
            decoder = CgroupEventDecoder.of(source.header_page, source.formats)
            source.start()
        except DataError as error:
            source.close()
            raise TracingUnavailable(f"Cannot read this kernel's events: {error}") from error
        except BaseException:
            source.close()
            raise
        return source, decoder

    async def wait(self) -> None:
        """Wait until something was recorded."""
        if self._source:
            await self._source.wait()

    def read(self) -> Iterator[CgroupEvents]:
        """Take all that was recorded, and nothing while it is closed.

        Others who read wait until the caller is done with what he was given.
        """
        with self._lock:
            more = True
            while more and self._source and self._decoder:
                taken = self._source.read(READ_BYTES)
                yield self._decoder.decode(taken.data, taken.cpu)
                more = bool(taken.capped)

    def close(self) -> None:
        """Remove it from the kernel; again is harmless."""
        with self._lock:
            source, self._source = self._source, None
        if source is not None:
            try:
                source.close()
            except PortError as error:
                _log.error("watch.not_removed", source=source.name, error=str(error))
