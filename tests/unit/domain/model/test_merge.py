"""Events of all CPUs come out in order of time, once each, and no sooner than is certain."""

from collections.abc import Collection, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.event_batch import EventLayout, EventSchema, EventTable
from container_tracer.domain.model.event_format import structured_dtype
from container_tracer.domain.model.merge import TimeMerge, horizon
from container_tracer.domain.model.ring_buffer import SubBufferLayout, decode_sub_buffers
from container_tracer.fakes.sub_buffer import CpuWriter, sub_buffers

TYPED, UNTYPED = 3, 4
SCHEMA = EventSchema.of(
    [(EventLayout("typed", structured_dtype([("serial", np.dtype("<u4"), 8)]), 12), [TYPED])]
)


def table(*events: tuple[int, int, int], untyped: Collection[int] = ()) -> EventTable:
    """Events of (time, cpu, serial), grouped by CPU; the serial is the task as well."""
    writers: dict[int, CpuWriter] = {}
    for time_ns, cpu, serial in events:
        event_id = UNTYPED if serial in untyped else TYPED
        words = np.array([event_id, serial, serial], dtype=np.uint32)
        writers.setdefault(cpu, CpuWriter(cpu)).record(words.tobytes(), at_ns=time_ns)
    taken = sub_buffers({cpu: one.take() for cpu, one in writers.items()})
    records = decode_sub_buffers(taken.data, taken.cpu, layout=SubBufferLayout())
    return SCHEMA.decode(records)[0]


def serials(merged: EventTable) -> list[int]:
    typed = merged.event_id == TYPED
    column = merged.columns["typed"]["serial"][merged.slot[typed]]
    assert column.tolist() == merged.tid[typed].tolist()
    return [int(one) for one in merged.tid]


def test_events_of_all_cpus_come_in_order_of_time() -> None:
    merge = TimeMerge(SCHEMA)
    merged = merge.merge(table((10, 0, 1), (30, 0, 3), (20, 1, 2), (40, 1, 4)), 100)
    assert serials(merged) == [1, 2, 3, 4]
    assert merged.cpu.tolist() == [0, 1, 0, 1]
    assert merge.pending == 0


def test_what_is_not_older_than_the_horizon_waits_for_the_next_drain() -> None:
    merge = TimeMerge(SCHEMA)
    assert serials(merge.merge(table((10, 0, 1), (20, 0, 3), (21, 1, 4)), 20)) == [1]
    assert merge.pending == 2
    assert serials(merge.merge(table((15, 1, 2)), 100)) == [2, 3, 4]
    assert merge.pending == 0


def test_events_of_one_cpu_and_one_stamp_keep_their_order_across_drains() -> None:
    merge = TimeMerge(SCHEMA)
    assert serials(merge.merge(table((5, 0, 1), (5, 0, 2)), 5)) == []
    assert serials(merge.merge(table((5, 0, 3), (5, 0, 4), (4, 1, 0)), 6)) == [0, 1, 2, 3, 4]


def test_what_waits_comes_out_even_if_nothing_new_came() -> None:
    merge = TimeMerge(SCHEMA)
    merge.merge(table((9, 0, 1)), 9)
    assert serials(merge.merge(SCHEMA.empty(), 10)) == [1]


def test_what_is_held_back_after_all_comes_first_with_the_next_drain() -> None:
    merge = TimeMerge(SCHEMA)
    merged = merge.merge(table((10, 0, 1), (20, 0, 2), (20, 0, 3), (30, 0, 4), (50, 0, 5)), 40)
    assert serials(merge.hold_back(merged, 20)) == [1]
    assert merge.pending == 4
    assert serials(merge.merge(table((25, 1, 6)), 45)) == [2, 3, 6, 4]
    assert serials(merge.merge(table(), 60)) == [5]


def test_a_drain_of_nothing_gives_nothing() -> None:
    assert len(TimeMerge(SCHEMA).merge(SCHEMA.empty(), 10)) == 0


def test_a_horizon_beyond_all_time_holds_nothing_back() -> None:
    merge = TimeMerge(SCHEMA)
    assert serials(merge.merge(table((9, 0, 1)), 1 << 70)) == [1]


def test_events_without_typed_columns_are_merged_with_the_others() -> None:
    merge = TimeMerge(SCHEMA)
    merge.merge(table((9, 0, 1), (12, 0, 3)), 9)
    assert serials(merge.merge(table((10, 1, 2), (13, 1, 4), untyped={2}), 50)) == [1, 2, 3, 4]


def test_the_horizon_is_the_drains_start() -> None:
    assert horizon(100, {}) == 100


def test_a_capped_cpu_lowers_the_horizon_to_its_newest_event() -> None:
    assert horizon(100, {0: 70, 3: 60}) == 60


def test_a_capped_cpu_that_is_ahead_does_not_raise_the_horizon() -> None:
    assert horizon(100, {0: 170}) == 100


EVENTS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), max_size=60)
DRAINS = st.lists(
    st.tuples(st.integers(0, 30), st.lists(st.integers(1, 9), min_size=4, max_size=4))
)


def drained(
    streams: Sequence[list[tuple[int, int]]], at: list[int], started_ns: int, caps: list[int]
) -> tuple[list[tuple[int, int, int]], dict[int, int]]:
    """Take up to its cap of each CPU's stream of (time, serial); tell who still holds more.

    What is stamped after the drain's start may have come in while it was reading: some is taken.
    """
    taken, newest = [], {}
    for cpu, stream in enumerate(streams):
        there = [one for one in stream[at[cpu] :] if one[0] < started_ns + cpu * 3]
        mine = there[: caps[cpu]]
        at[cpu] += len(mine)
        taken += [(time_ns, cpu, serial) for time_ns, serial in mine]
        if len(mine) < len(there):
            newest[cpu] = mine[-1][0]
    return taken, newest


@settings(deadline=None, derandomize=True, max_examples=150)
@given(events=EVENTS, drains=DRAINS, untyped=st.sets(st.integers(0, 60)))
def test_however_streams_are_drained_they_merge_into_the_order_of_time(
    events: list[tuple[int, int]], drains: list[tuple[int, list[int]]], untyped: set[int]
) -> None:
    streams: list[list[tuple[int, int]]] = [[], [], [], []]
    for serial, (time_ns, cpu) in enumerate(sorted(events, key=lambda one: one[0])):
        streams[cpu].append((time_ns, serial))
    at, now_ns, merge = [0, 0, 0, 0], 0, TimeMerge(SCHEMA)
    order: list[tuple[int, int]] = []
    last = [(1000, [100] * 4)]
    for passed_ns, caps in [*drains, *last]:
        now_ns += passed_ns
        taken, newest = drained(streams, at, now_ns, caps)
        merged = merge.merge(table(*taken, untyped=untyped), horizon(now_ns, newest))
        order += zip(merged.time_ns.tolist(), serials(merged), strict=True)
    assert merge.pending == 0
    assert [time_ns for time_ns, _ in order] == sorted(one[0] for one in events)
    assert sorted(serial for _, serial in order) == list(range(len(events)))
    for stream in streams:
        mine = {serial for _, serial in stream}
        assert [one for one in order if one[1] in mine] == stream
