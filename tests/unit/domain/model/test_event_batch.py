"""Records become typed columns, whatever is shared, too short, or of no layout."""

from collections.abc import Mapping

import numpy as np
import pytest

from container_tracer.domain.model.event_batch import EventLayout, EventSchema, EventTable
from container_tracer.domain.model.event_format import EventFormat, structured_dtype
from container_tracer.domain.model.ring_buffer import SubBufferLayout, decode_sub_buffers
from container_tracer.fakes.event_record import encode_event
from container_tracer.fakes.sub_buffer import SubBufferWriter

ENTER_READ, EXIT_READ = "syscalls:sys_enter_read", "syscalls:sys_exit_read"
ENTER_CLOSE, SWITCH, EXEC = (
    "syscalls:sys_enter_close",
    "sched:sched_switch",
    "sched:sched_process_exec",
)

ARGUMENTS = EventLayout(
    "arguments", structured_dtype([("arguments", np.dtype(("<u8", (6,))), 16)]), 12
)


def own(event: EventFormat) -> tuple[EventLayout, list[int]]:
    return EventLayout(event.name, event.dtype, event.size), [event.event_id]


@pytest.fixture
def schema(recorded_formats: Mapping[str, EventFormat]) -> EventSchema:
    """Entries of calls share a layout; sched_switch has its own; other events have none."""
    entries = [recorded_formats[name].event_id for name in (ENTER_READ, ENTER_CLOSE)]
    return EventSchema.of([(ARGUMENTS, entries), own(recorded_formats[SWITCH])])


def decode(schema: EventSchema, *writers: SubBufferWriter) -> tuple[EventTable, int]:
    data = b"".join(one.finish() for one in writers)
    records = decode_sub_buffers(
        np.frombuffer(data, dtype=np.uint8),
        np.arange(len(writers), dtype=np.int16),
        layout=SubBufferLayout(),
    )
    return schema.decode(records)


def test_every_event_has_time_cpu_task_and_id(
    schema: EventSchema, recorded_formats: Mapping[str, EventFormat]
) -> None:
    read, leave = recorded_formats[ENTER_READ], recorded_formats[EXIT_READ]
    first = SubBufferWriter(100).event(read, tid=7, at_ns=105).event(leave, tid=-1, at_ns=110)
    second = SubBufferWriter(50).event(leave, tid=4_194_303)
    table, short = decode(schema, first, second)
    assert (len(table), short) == (3, 0)
    assert table.time_ns.tolist() == [105, 110, 50]
    assert table.cpu.tolist() == [0, 0, 1]
    assert table.tid.tolist() == [7, -1, 4_194_303]
    assert table.event_id.tolist() == [read.event_id, leave.event_id, leave.event_id]
    dtypes = [x.dtype for x in (table.time_ns, table.cpu, table.tid, table.event_id, table.slot)]
    assert dtypes == [np.int64, np.int16, np.int32, np.uint16, np.int32]


def test_events_that_share_a_layout_share_its_columns(
    schema: EventSchema, recorded_formats: Mapping[str, EventFormat]
) -> None:
    writer = SubBufferWriter(0).event(recorded_formats[ENTER_READ], {"fd": 3, "count": 512})
    writer.event(recorded_formats[SWITCH], {"prev_comm": "sh", "next_pid": 99})
    writer.event(recorded_formats[ENTER_CLOSE], {"fd": 2**64 - 1})
    table, _ = decode(schema, writer)
    assert table.slot.tolist() == [0, 0, 1]
    assert table.columns["arguments"]["arguments"][0, [0, 2]].tolist() == [3, 512]
    assert table.columns["arguments"]["arguments"][1, 0] == 2**64 - 1
    assert table.columns["sched_switch"]["prev_comm"].tolist() == [b"sh"]
    assert table.columns["sched_switch"]["next_pid"].tolist() == [99]


def test_an_event_without_a_layout_has_no_slot(
    schema: EventSchema, recorded_formats: Mapping[str, EventFormat]
) -> None:
    table, short = decode(schema, SubBufferWriter(0).event(recorded_formats[EXIT_READ]))
    assert (table.slot.tolist(), short) == ([-1], 0)


@pytest.mark.parametrize("size", [0, 4])
def test_a_record_without_room_for_a_task_is_counted_as_too_short(
    size: int, schema: EventSchema, recorded_formats: Mapping[str, EventFormat]
) -> None:
    writer = SubBufferWriter(0).record(bytes(size)).event(recorded_formats[EXIT_READ], tid=7)
    table, short = decode(schema, writer)
    assert (table.tid.tolist(), short) == ([7], 1)


def test_a_record_shorter_than_its_layout_allows_is_counted_as_too_short(
    schema: EventSchema, recorded_formats: Mapping[str, EventFormat]
) -> None:
    switch = recorded_formats[SWITCH]
    writer = SubBufferWriter(0).event(switch, tid=1).event(switch, tid=2)
    writer.record(encode_event(switch, {}, tid=3)[:-4]).event(switch, {"next_pid": 5}, tid=4)
    table, short = decode(schema, writer)
    assert (table.tid.tolist(), short) == ([1, 2, 4], 1)
    assert table.columns["sched_switch"]["next_pid"][table.slot].tolist() == [0, 0, 5]


def test_a_record_may_be_shorter_than_its_dtype_where_memory_ends(schema: EventSchema) -> None:
    entry = int(np.flatnonzero(schema.layout_of == 0)[0])
    data = entry.to_bytes(4, "little") + (7).to_bytes(4, "little") + bytes(4)
    writer = SubBufferWriter(0).record(bytes(4056))
    writer.record(data)
    table, short = decode(schema, writer)
    assert writer.room == 0
    assert (table.tid.tolist(), short) == ([0, 7], 0)
    assert len(table.columns["arguments"]) == 1


def test_values_of_varying_length_are_places_in_the_record(
    recorded_formats: Mapping[str, EventFormat],
) -> None:
    event = recorded_formats[EXEC]
    schema = EventSchema.of([own(event)])
    table, _ = decode(schema, SubBufferWriter(0).event(event, {"filename": "/bin/sh", "pid": 8}))
    place = int(table.columns["sched_process_exec"]["filename"][0])
    assert (place & 0xFFFF, place >> 16) == (event.size, len("/bin/sh") + 1)


def test_a_schema_of_nothing_still_reads_what_all_events_have(
    recorded_formats: Mapping[str, EventFormat],
) -> None:
    table, short = decode(
        EventSchema.of([]), SubBufferWriter(3).event(recorded_formats[SWITCH], tid=6)
    )
    assert (table.tid.tolist(), table.slot.tolist(), short) == ([6], [-1], 0)


def test_a_schema_may_have_a_layout_for_every_event(
    recorded_formats: Mapping[str, EventFormat],
) -> None:
    schema = EventSchema.of(
        (EventLayout(name, one.dtype, one.size), [one.event_id])
        for name, one in recorded_formats.items()
    )
    last = [*recorded_formats.values()][-1]
    assert schema.layout_of[last.event_id] == len(recorded_formats) - 1


def test_an_empty_table_has_all_columns(schema: EventSchema) -> None:
    table = schema.empty()
    assert len(table) == 0
    assert {name: column.dtype for name, column in table.columns.items()} == {
        one.name: one.dtype for one in schema.layouts
    }


@pytest.fixture
def tables(
    schema: EventSchema, recorded_formats: Mapping[str, EventFormat]
) -> tuple[EventTable, EventTable]:
    """Two tables of an entry, a switch and an exit each; arguments and tasks count on."""
    result = []
    for base in (0, 10):
        writer = SubBufferWriter(base)
        for number in (base, base + 1):
            writer.event(recorded_formats[ENTER_READ], {"fd": number}, tid=number)
            writer.event(recorded_formats[SWITCH], {"next_pid": number}, tid=number)
            writer.event(recorded_formats[EXIT_READ], tid=number)
        result.append(decode(schema, writer)[0])
    return result[0], result[1]


def check(table: EventTable, schema: EventSchema, numbers: list[int]) -> None:
    """All events of the table belong to these tasks in order, and so do their typed columns."""
    assert table.tid.tolist() == numbers
    for column, index, name in (("arguments", 0, "arguments"), ("sched_switch", 1, "next_pid")):
        mine = schema.layout_of[table.event_id] == index
        typed = table.columns[column][name][table.slot[mine]]
        assert (typed if typed.ndim == 1 else typed[:, 0]).tolist() == table.tid[mine].tolist()


def test_chosen_events_keep_their_typed_columns(
    schema: EventSchema, tables: tuple[EventTable, EventTable]
) -> None:
    check(tables[0].take(np.array([4, 0, 5])), schema, [1, 0, 1])
    check(tables[0].take(np.array([True, False, False, True, True, False])), schema, [0, 1, 1])


def test_joined_tables_are_one_behind_the_other(
    schema: EventSchema, tables: tuple[EventTable, EventTable]
) -> None:
    one, other = tables
    check(schema.join(one, other), schema, [0, 0, 0, 1, 1, 1, 10, 10, 10, 11, 11, 11])
    check(schema.join(one.take(np.array([3, 4])), other), schema, [1, 1, 10, 10, 10, 11, 11, 11])
    check(schema.join(one, other.take(np.array([5, 0, 4]))), schema, [0, 0, 0, 1, 1, 1, 11, 10, 11])


def test_joining_nothing_changes_nothing(
    schema: EventSchema, tables: tuple[EventTable, EventTable]
) -> None:
    assert schema.join(tables[0], schema.empty()) is tables[0]
    assert schema.join(schema.empty(), tables[0]) is tables[0]


def test_joined_columns_are_of_the_layouts_dtype(
    schema: EventSchema, tables: tuple[EventTable, EventTable]
) -> None:
    joined = schema.join(*tables)
    assert {name: column.dtype for name, column in joined.columns.items()} == {
        one.name: one.dtype for one in schema.layouts
    }


def test_joining_drops_typed_rows_of_the_first_table_that_no_event_refers_to(
    schema: EventSchema, tables: tuple[EventTable, EventTable]
) -> None:
    joined = schema.join(tables[0].take(np.array([3])), tables[1])
    assert {name: len(column) for name, column in joined.columns.items()} == {
        "arguments": 3,
        "sched_switch": 2,
    }
