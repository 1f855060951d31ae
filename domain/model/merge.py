"""Events of all CPUs → one order in time, up to a horizon.

Everything stamped before a drain began has been found by that drain, if every CPU was read to
its end. So what is newer than the drain's start is held back: something older than it may still
come from another CPU. Where a CPU was not read to its end, its newest event is the limit.
"""

import numpy as np
from attrs import define, field

from .event_batch import EventSchema, EventTable


@define
class TimeMerge:
    """Holds events back until their order is certain; lives as long as its source."""

    schema: EventSchema
    _held: EventTable = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with nothing held back."""
        self._held = self.schema.empty()

    @property
    def pending(self) -> int:
        """Count the events held back."""
        return len(self._held)

    def merge(self, table: EventTable, horizon_ns: int) -> EventTable:
        """Return all events stamped before the horizon, in order of time; hold back the rest.

        Events of one CPU that bear the same stamp stay in the order they were recorded in.
        """
        table = self.schema.join(self._held, table)
        ready = table.time_ns < horizon_ns
        count = int(np.count_nonzero(ready))
        if ready[:count].all():  # as it is where one CPU is busy: then nothing need be copied
            self._held = table.take(slice(count, None))
            table = table.take(slice(count))
        else:
            self._held = table.take(~ready)
            table = table.take(ready)
        if _in_order(table):
            return table
        return table.take(np.argsort(table.time_ns, kind="stable"))

    def hold_back(self, table: EventTable, horizon_ns: int) -> EventTable:
        """Return those of the merged events that are before an earlier horizon; hold the rest."""
        count = int(np.searchsorted(table.time_ns, horizon_ns))
        if count == len(table):
            return table
        self._held = self.schema.join(table.take(slice(count, None)), self._held)
        return table.take(slice(count))


def _in_order(table: EventTable) -> bool:
    return bool((table.time_ns[1:] >= table.time_ns[:-1]).all())


def horizon(started_ns: int, newest_of_capped: dict[int, int]) -> int:
    """Return the time before which every event has been seen.

    `started_ns` is the trace clock when the drain began to read; `newest_of_capped` has the
    newest stamp of each CPU that still holds more.
    """
    return min(started_ns, *newest_of_capped.values()) if newest_of_capped else started_ns
