"""Events of cgroups → who was put into which container's cgroup, and which cgroups ended.

Source of the events: include/trace/events/cgroup.h and task.h of Linux. They are rare: a few
dozens where a container begins or ends. So, unlike elsewhere, each becomes an object.
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from .attachments import Attachment
from .cgroup import container_of
from .event_format import EventField, EventFormat, Placement, parse_event_format
from .ring_buffer import Records, SubBufferLayout, decode_sub_buffers, parse_header_page

ATTACH = "cgroup:cgroup_attach_task"
REMOVE = "cgroup:cgroup_rmdir"
POPULATED = "cgroup:cgroup_notify_populated"
NEWTASK = "task:task_newtask"

WATCHED = {
    ATTACH: "",
    REMOVE: "",
    POPULATED: "val == 0",
    # CLONE_INTO_CGROUP, include/uapi/linux/sched.h: no event says which cgroup.
    NEWTASK: "clone_flags & 0x200000000",
}
"""The events to record, and of which of them, as filters of the kernel."""

_FIELDS = {
    ATTACH: ("dst_root", "dst_path", "pid"),
    REMOVE: ("root", "path"),
    POPULATED: ("root", "path", "val"),
    NEWTASK: ("pid",),
}


@frozen
class BornInside:
    """A process was made right in another cgroup than its parent's; which one, nobody said."""

    time_ns: int
    tid: int


@frozen
class ContainerCgroupEnded:
    """A container's own cgroup has no process any more, or was `removed`."""

    time_ns: int
    container_id: str
    hierarchy: int
    removed: bool


CgroupEvent: TypeAlias = Attachment | BornInside | ContainerCgroupEnded


@frozen(kw_only=True)
class CgroupEvents:
    """What sub-buffers held, in order of time; `losses` counts gaps in them."""

    events: tuple[CgroupEvent, ...] = ()
    losses: int = 0
    malformed: int = 0


@frozen(eq=False)
class CgroupEventDecoder:
    """Reads the events of one kernel. `by_id` are their names and formats, by event id."""

    layout: SubBufferLayout
    by_id: Mapping[int, tuple[str, EventFormat]] = field(repr=False)

    @classmethod
    def of(cls, header_page: str, formats: Mapping[str, str]) -> "CgroupEventDecoder":
        """Read the texts of a source; raise `DataError` if they cannot be read."""
        parsed = {name: parse_event_format(text) for name, text in formats.items()}
        for name, event in parsed.items():
            for one in _FIELDS[name]:
                event[one]  # raises UnreadableFormat
        return cls(
            parse_header_page(header_page),
            {event.event_id: (name, event) for name, event in parsed.items()},
        )

    def decode(self, data: NDArray[np.uint8], cpu: NDArray[np.int16]) -> CgroupEvents:
        """Decode whole sub-buffers, whatever bytes they hold."""
        records = decode_sub_buffers(data, cpu, layout=self.layout)
        return CgroupEvents(
            events=tuple(sorted(self._events(records), key=lambda one: one.time_ns)),
            losses=len(records.losses),
            malformed=records.malformed,
        )

    def _events(self, records: Records) -> Iterator[CgroupEvent]:
        columns = (records.offset, records.length, records.time_ns)
        for offset, length, time_ns in zip(*(one.tolist() for one in columns), strict=True):
            data = records.words[offset : offset + length].tobytes()
            known = self.by_id.get(int.from_bytes(data[:2], "little"))
            # A record shorter than its event's fields cannot be of this event.
            if known and len(data) >= known[1].size and (one := _event(*known, data, time_ns)):
                yield one


def _event(name: str, event: EventFormat, data: bytes, time_ns: int) -> CgroupEvent | None:
    if name == NEWTASK:
        return BornInside(time_ns, _number(event["pid"], data))
    if name == ATTACH:
        path = _text(event["dst_path"], data)
        found = container_of(path)
        return Attachment(
            time_ns=time_ns,
            tid=_number(event["pid"], data),
            path=path,
            container_id=found.container_id if found else "",
            hierarchy=_number(event["dst_root"], data),
        )
    if name == POPULATED and _number(event["val"], data):
        return None
    path = _text(event["path"], data)
    found = container_of(path)
    # What a container made below its own cgroup ends without the container's end.
    if found is None or found.path != path:
        return None
    hierarchy = _number(event["root"], data)
    return ContainerCgroupEnded(time_ns, found.container_id, hierarchy, name == REMOVE)


def _number(one: EventField, data: bytes) -> int:
    return int.from_bytes(data[one.offset : one.offset + one.size], "little", signed=one.signed)


def _text(one: EventField, data: bytes) -> str:
    """Read text that stands elsewhere in the record, up to its first NUL."""
    place = _number(one, data) & 0xFFFF_FFFF
    base = one.offset + one.size if one.placement is Placement.REL_LOC else 0
    start = base + (place & 0xFFFF)
    text, _, _ = data[start : start + (place >> 16)].partition(b"\0")
    return text.decode(errors="surrogateescape")
