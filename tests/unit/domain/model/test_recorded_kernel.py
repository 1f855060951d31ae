"""Recorded sub-buffers decode to exactly what the kernel's own text says of the same events.

`NAME.fields.txt` has every field of every event: each line is rebuilt from decoded columns.
"""

import re
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest
from attrs import frozen

from container_tracer.domain.model.event_batch import EventLayout, EventSchema, EventTable
from container_tracer.domain.model.event_format import EventField, EventFormat, Placement
from container_tracer.domain.model.merge import TimeMerge
from container_tracer.domain.model.record_walkers import DELTA_BITS
from container_tracer.domain.model.ring_buffer import Records, SubBufferLayout, decode_sub_buffers
from container_tracer.ports.kernel_tracer import SubBuffers

RECORDINGS = ("mixed", "wide", "lost", "lost-uncounted")
LINE = re.compile(r"^ *.+-(\d+) +\[(\d+)\] \S{5} +(\d+\.\d{6}): (.*)$", re.MULTILINE)
POINTER_TO_TEXT = re.compile(r"\(0x[0-9a-f]+\)")
PRINT = "ftrace:print"


@frozen(eq=False)
class Decoded:
    """A recording: its records, and the same in columns."""

    records: Records
    table: EventTable
    formats: Mapping[int, EventFormat]

    def lines(self) -> Iterator[tuple[int, int, str, str]]:
        """Tid, CPU, seconds and text of each event in order of time."""
        for row in np.argsort(self.table.time_ns, kind="stable").tolist():
            micros = (int(self.table.time_ns[row]) + 500) // 1000
            seconds = f"{micros // 10**6}.{micros % 10**6:06}"
            yield int(self.table.tid[row]), int(self.table.cpu[row]), seconds, self._text(row)

    def _text(self, row: int) -> str:
        event = self.formats[int(self.table.event_id[row])]
        if event.name == "print":
            return f"UNKNOWN TYPE {event.event_id}"
        values = self.table.columns[event.name][self.table.slot[row]]
        data = self.record(row)
        texts = (f" {one.name}={_value(one, values[one.name], data)}" for one in event.fields[4:])
        return f"{event.name}:{''.join(texts)}"

    def record(self, row: int) -> bytes:
        begin, words = self.records.offset[row], self.records.length[row]
        return self.records.words[begin : begin + words].tobytes()


def _value(one: EventField, value: np.generic, data: bytes) -> str:
    """Write a value as `print_fields` of kernel/trace/trace_output.c does."""
    if one.placement is Placement.DATA_LOC:
        place = int(value)
        return _c_string(data[place & 0xFFFF : (place & 0xFFFF) + (place >> 16)])
    if isinstance(value, bytes):
        return _c_string(value)
    if one.type_name in ("char *", "const char *"):
        return "(text)"
    number = int(value)
    hexadecimal = f"0x{number & ((1 << 8 * one.size) - 1):x} "
    return f"{hexadecimal if one.size > 1 else ''}({number})"


def _c_string(data: bytes) -> str:
    return data.split(b"\0")[0].decode()


@pytest.fixture(params=[False, True], ids=["loop", "lock-step"])
def decoded(
    request: pytest.FixtureRequest,
    recorded_pages: Callable[[str], SubBuffers],
    recorded_layout: Callable[[str], SubBufferLayout],
    recorded_formats: dict[str, EventFormat],
) -> Callable[[str], Decoded]:
    schema = EventSchema.of(
        (EventLayout(one.name, one.dtype, one.size), [one.event_id])
        for name, one in recorded_formats.items()
        if not name.startswith("ftrace:")
    )

    def decode(name: str) -> Decoded:
        pages = recorded_pages(name)
        records = decode_sub_buffers(
            pages.data, pages.cpu, layout=recorded_layout(name), lock_step=request.param
        )
        table, short = schema.decode(records)
        assert (records.malformed, short) == (0, 0)
        return Decoded(records, table, {one.event_id: one for one in recorded_formats.values()})

    return decode


def told(text: str) -> list[tuple[int, int, str, str]]:
    """Tid, CPU, seconds and text of each event, as the kernel wrote them."""
    return [
        (int(tid), int(cpu), seconds, POINTER_TO_TEXT.sub("(text)", rest))
        for tid, cpu, seconds, rest in LINE.findall(text)
    ]


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_field_of_every_event_is_what_the_kernel_says(
    name: str, decoded: Callable[[str], Decoded], recorded_text: Callable[[str], str]
) -> None:
    text = recorded_text(f"{name}.fields.txt.gz")
    ours, theirs = list(decoded(name).lines()), told(text)
    assert ours == theirs
    assert len(theirs) == sum(not line.startswith("#") for line in text.splitlines()) > 400


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_event_the_kernel_counted_is_there_or_lost(
    name: str, decoded: Callable[[str], Decoded], recorded_text: Callable[[str], str]
) -> None:
    text = recorded_text(f"{name}.stats.txt")
    entries = [int(one) for one in re.findall(r"^entries: (\d+)$", text, re.MULTILINE)]
    overruns = [int(one) for one in re.findall(r"^overrun: (\d+)$", text, re.MULTILINE)]
    records = decoded(name).records
    assert np.bincount(records.cpu, minlength=len(entries)).tolist() == entries
    marks = {one.cpu for one in records.losses}
    assert marks == {cpu for cpu, overrun in enumerate(overruns) if overrun}
    if name == "lost":
        assert {one.cpu: one.count for one in records.losses} == {0: overruns[0]}


def test_a_count_that_had_no_room_is_0(decoded: Callable[[str], Decoded]) -> None:
    records = decoded("lost-uncounted").records
    assert [one.count for one in records.losses] == [0]
    assert records.losses[0].until_ns == records.time_ns[0]


@pytest.mark.parametrize("name", ["mixed", "wide"])
def test_a_gap_longer_than_a_header_can_say_is_bridged(
    name: str, decoded: Callable[[str], Decoded]
) -> None:
    assert np.diff(np.sort(decoded(name).table.time_ns)).max() > 1 << DELTA_BITS


@pytest.mark.parametrize("name", ["mixed", "wide", "lost"])
def test_a_long_record_is_read_to_its_end(
    name: str,
    decoded: Callable[[str], Decoded],
    recorded_formats: dict[str, EventFormat],
    recorded_text: Callable[[str], str],
) -> None:
    recording, event = decoded(name), recorded_formats[PRINT]
    rows = np.flatnonzero(recording.table.event_id == event.event_id).tolist()
    texts = [_c_string(recording.record(row)[event.size :]).rstrip("\n") for row in rows]
    lines = recorded_text(f"{name}.trace.txt.gz").splitlines()
    marks = [line.partition(" tracing_mark_write: ")[2] for line in lines]
    assert texts == [one for one in marks if one]


def test_recorded_events_merge_into_the_kernels_order(
    decoded: Callable[[str], Decoded], recorded_text: Callable[[str], str]
) -> None:
    recording = decoded("mixed")
    untyped = EventSchema.of([])
    table, _ = untyped.decode(recording.records)
    merged = TimeMerge(untyped).merge(table, 1 << 62)
    theirs = told(recorded_text("mixed.fields.txt.gz"))
    ours = zip(merged.tid.tolist(), merged.cpu.tolist(), strict=True)
    assert list(ours) == [(tid, cpu) for tid, cpu, _, _ in theirs]
