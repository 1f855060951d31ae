"""Every rule of the sub-buffer format, every malformation, and what a kernel said of its own."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from container_tracer.domain.model.ring_buffer import (
    LOCK_STEP_PAGES,
    LossMark,
    MalformedSubBuffer,
    Records,
    SubBufferLayout,
    decode_sub_buffers,
    parse_header_page,
)
from container_tracer.fakes.sub_buffer import CpuWriter, SubBufferWriter, sub_buffers

WIDE = SubBufferLayout(size=65536)
BOTH_WALKERS = pytest.mark.parametrize("lock_step", [False, True], ids=["loop", "lock-step"])

HEADER_PAGE = """\
	field: u64 timestamp;	offset:0;	size:8;	signed:0;
	field: local_t commit;	offset:8;	size:8;	signed:1;
	field: int overwrite;	offset:8;	size:1;	signed:1;
	field: char data;	offset:16;	size:4080;	signed:0;
"""


def decode(
    *pages: bytes, cpu: Iterable[int] | None = None, lock_step: bool = False, size: int = 4096
) -> Records:
    cpus = list(cpu) if cpu is not None else [0] * len(pages)
    return decode_sub_buffers(
        np.frombuffer(b"".join(pages), dtype=np.uint8),
        np.array(cpus, dtype=np.int16),
        layout=SubBufferLayout(size=size),
        lock_step=lock_step,
    )


def contents(records: Records) -> list[tuple[int, bytes]]:
    """Time and bytes of each record."""
    data = records.words.tobytes()
    rows = zip(records.time_ns, records.offset, records.length, strict=True)
    return [(int(time), data[at * 4 : (at + size) * 4]) for time, at, size in rows]


def times(records: Records) -> list[int]:
    return [int(one) for one in records.time_ns]


def test_no_sub_buffers_hold_no_records() -> None:
    for lock_step in (False, True, None):
        records = decode_sub_buffers(
            np.empty(0, np.uint8),
            np.empty(0, np.int16),
            layout=SubBufferLayout(),
            lock_step=lock_step,
        )
        assert (len(records), records.losses, records.malformed) == (0, (), 0)


@BOTH_WALKERS
def test_an_empty_sub_buffer_holds_no_records(lock_step: bool) -> None:
    records = decode(SubBufferWriter(5).finish(), lock_step=lock_step)
    assert (len(records), records.malformed) == (0, 0)


@BOTH_WALKERS
@pytest.mark.parametrize("words", [*range(1, 30), 500, 1018])
def test_a_record_of_any_length_comes_back_as_it_was(words: int, lock_step: bool) -> None:
    data = bytes(np.arange(words * 4, dtype=np.uint8))
    page = SubBufferWriter(1000).record(data, at_ns=1007).finish()
    assert contents(decode(page, lock_step=lock_step)) == [(1007, data)]


@BOTH_WALKERS
@pytest.mark.parametrize("behind", [1, 2])
@pytest.mark.parametrize("words", range(1, 32))
def test_data_that_looks_like_headers_is_data(words: int, behind: int, lock_step: bool) -> None:
    header = (1).to_bytes(4, "little")  # of a record of one word
    data, rest = header * words, header * behind
    page = SubBufferWriter(0).record(data).record(data).record(rest).finish()
    assert contents(decode(page, lock_step=lock_step)) == [(0, data), (0, data), (0, rest)]


@BOTH_WALKERS
def test_a_short_record_may_be_written_the_long_way(lock_step: bool) -> None:
    page = SubBufferWriter(0).record(b"abcd", long=True).record(b"efgh").finish()
    assert contents(decode(page, lock_step=lock_step)) == [(0, b"abcd"), (0, b"efgh")]


@BOTH_WALKERS
def test_a_record_may_have_no_data(lock_step: bool) -> None:
    page = SubBufferWriter(0).record(b"").record(b"efgh").finish()
    assert contents(decode(page, lock_step=lock_step)) == [(0, b""), (0, b"efgh")]


@BOTH_WALKERS
def test_times_are_the_stamp_and_all_deltas_so_far(lock_step: bool) -> None:
    writer = SubBufferWriter(10)
    for at_ns in (10, 11, 11, 500, 500 + (1 << 27) - 1):
        writer.record(b"data", at_ns=at_ns)
    page = writer.finish()
    assert times(decode(page, lock_step=lock_step)) == [10, 11, 11, 500, 500 + (1 << 27) - 1]


@BOTH_WALKERS
@pytest.mark.parametrize("gap_ns", [1 << 27, (1 << 40) + 3, (1 << 59) - 1])
def test_a_time_extend_counts_for_all_that_follows(gap_ns: int, lock_step: bool) -> None:
    writer = SubBufferWriter(10).record(b"data", at_ns=20)
    page = writer.record(b"data", at_ns=20 + gap_ns).record(b"data", at_ns=21 + gap_ns).finish()
    assert times(decode(page, lock_step=lock_step)) == [20, 20 + gap_ns, 21 + gap_ns]


@BOTH_WALKERS
def test_a_sub_buffer_may_end_with_a_time_extend(lock_step: bool) -> None:
    records = decode(SubBufferWriter(10).time_extend(1 << 30).finish(), lock_step=lock_step)
    assert (len(records), records.malformed) == (0, 0)


@BOTH_WALKERS
@pytest.mark.parametrize("at_ns", [0, 5, 10_000, (1 << 59) - 1])
def test_an_absolute_time_replaces_the_time_so_far(at_ns: int, lock_step: bool) -> None:
    writer = SubBufferWriter(10).record(b"data").time_stamp(at_ns)
    page = writer.record(b"data", at_ns=at_ns + 7).finish()
    assert times(decode(page, lock_step=lock_step)) == [10, at_ns + 7]


@BOTH_WALKERS
@pytest.mark.parametrize(
    ("before", "stamp", "after"),
    [
        ((1 << 60) + 5, 9, (1 << 60) + 9),
        ((1 << 60) + 5, 4, (1 << 60) + (1 << 59) + 4),
        ((1 << 63) + 5, 9, (1 << 63) + 9 - (1 << 64)),
    ],
    ids=["keeps the upper bits", "carries when it would go back", "as signed as numpy"],
)
def test_an_absolute_time_has_59_bits(before: int, stamp: int, after: int, lock_step: bool) -> None:
    page = SubBufferWriter(before).time_stamp(stamp).record(b"data").finish()
    assert times(decode(page, lock_step=lock_step)) == [after]


@BOTH_WALKERS
def test_a_discarded_record_is_skipped_but_its_time_passes(lock_step: bool) -> None:
    writer = SubBufferWriter(10).discarded(bytes(12), at_ns=15)
    page = writer.record(b"data", at_ns=17).finish()
    assert contents(decode(page, lock_step=lock_step)) == [(17, b"data")]


@BOTH_WALKERS
def test_padding_without_a_length_ends_the_data(lock_step: bool) -> None:
    page = SubBufferWriter(1).record(b"data").end_of_data().record(b"none").finish()
    records = decode(page, lock_step=lock_step)
    assert contents(records) == [(1, b"data")]
    assert records.malformed == 0


@BOTH_WALKERS
def test_padding_without_a_length_may_be_the_last_word(lock_step: bool) -> None:
    records = decode(SubBufferWriter(1).record(b"data").end_of_data().finish(), lock_step=lock_step)
    assert (len(records), records.malformed) == (1, 0)


@BOTH_WALKERS
def test_behind_the_committed_data_is_nothing(lock_step: bool) -> None:
    page = SubBufferWriter(1).record(b"data").record(b"more").finish(commit=8)
    assert contents(decode(page, lock_step=lock_step)) == [(1, b"data")]


@BOTH_WALKERS
def test_a_sub_buffer_may_be_full_to_the_last_word(lock_step: bool) -> None:
    writer = SubBufferWriter(1)
    while writer.room:
        writer.record(b"data")
    assert len(decode(writer.finish(), lock_step=lock_step)) == writer.records == 510


@BOTH_WALKERS
def test_sub_buffers_may_be_of_64_kib(lock_step: bool) -> None:
    writer = SubBufferWriter(1, layout=WIDE).record(bytes(60_000), at_ns=3).record(b"data")
    records = decode(writer.finish(), writer.finish(), lock_step=lock_step, size=WIDE.size)
    assert [len(data) for _, data in contents(records)] == [60_000, 4, 60_000, 4]


@BOTH_WALKERS
def test_records_come_cpu_by_cpu_in_the_order_of_the_sub_buffers(lock_step: bool) -> None:
    pages = [SubBufferWriter(at).record(b"1st.").record(b"2nd.").finish() for at in (50, 70, 60)]
    records = decode(*pages, cpu=[0, 0, 3], lock_step=lock_step)
    assert times(records) == [50, 50, 70, 70, 60, 60]
    assert records.cpu.tolist() == [0, 0, 0, 0, 3, 3]


MALFORMED = {
    "a record longer than the data": lambda one: one.words(5),
    "a record one word longer than the data": lambda one: one.words(2, 0),
    "a long record without its length": lambda one: one.words(0),
    "a long record of length 0": lambda one: one.words(0, 0, 0),
    "a long record shorter than its length word": lambda one: one.words(0, 3, 0),
    "a long record of broken words": lambda one: one.words(0, 6, 0, 0),
    "a long record longer than the data": lambda one: one.words(0, 16, 0, 0),
    "a long record longer than memory": lambda one: one.words(0, 0xFFFF_FFFC, 0, 0),
    "a time extend without its second word": lambda one: one.words(30),
    "a time stamp without its second word": lambda one: one.words(31),
    "padding without its length": lambda one: one.words(29 | 1 << 5),
    "padding of length 0": lambda one: one.words(29 | 1 << 5, 0),
    "padding of broken words": lambda one: one.words(29 | 1 << 5, 5),
    "padding longer than the data": lambda one: one.words(29 | 1 << 5, 8),
}


@BOTH_WALKERS
@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformation_skips_the_rest_of_its_sub_buffer_only(name: str, lock_step: bool) -> None:
    broken = SubBufferWriter(1).record(b"good")
    MALFORMED[name](broken)
    whole = SubBufferWriter(9).record(b"next").finish()
    records = decode(whole, broken.finish(), whole, lock_step=lock_step)
    assert contents(records) == [(9, b"next"), (1, b"good"), (9, b"next")]
    assert records.malformed == 1


@BOTH_WALKERS
@pytest.mark.parametrize("commit", [4081, 4084, 1 << 20, (1 << 30) - 4, 5, 6, 7])
def test_a_commit_word_that_cannot_be_skips_its_sub_buffer(commit: int, lock_step: bool) -> None:
    broken = SubBufferWriter(1).record(b"data").finish(commit=commit)
    whole = SubBufferWriter(9).record(b"next").finish()
    records = decode(broken, whole, lock_step=lock_step)
    assert contents(records) == [(9, b"next")]
    assert records.malformed == 1


@BOTH_WALKERS
@pytest.mark.parametrize("count", [0, 1, 7317, (1 << 40)])
def test_lost_events_are_a_mark_with_their_count(count: int, lock_step: bool) -> None:
    pages = [SubBufferWriter(10).record(b"data", at_ns=14), SubBufferWriter(90).lost(count)]
    records = decode(*(one.record(b"data").finish() for one in pages), lock_step=lock_step)
    assert records.losses == (LossMark(0, 14, 90, count),)
    assert times(records) == [14, 14, 90]
    assert records.malformed == 0


def test_a_lost_count_that_has_no_room_is_0() -> None:
    writer = SubBufferWriter(90).lost(7)
    while writer.room:
        writer.record(b"data")
    assert decode(writer.finish()).losses == (LossMark(0, 0, 90, 0),)


def test_a_lost_count_that_claims_to_stand_behind_a_full_sub_buffer_is_0() -> None:
    page = SubBufferWriter(90).record(bytes(4072)).finish(commit=4080 | 3 << 30)
    next_page = SubBufferWriter(1 << 62).finish()
    assert decode(page, next_page).losses == (LossMark(0, 0, 90, 0),)


def test_a_lost_count_that_makes_no_sense_is_0() -> None:
    page = SubBufferWriter(90).lost((1 << 64) - 1).finish()
    assert decode(page).losses == (LossMark(0, 0, 90, 0),)


@pytest.mark.parametrize("upper", [0, 0xFFFF_FFFF], ids=["as kbuffer reads it", "as x86-64 adds"])
def test_the_upper_half_of_the_commit_word_means_nothing(upper: int) -> None:
    page = SubBufferWriter(90).record(b"data").finish(commit=8 | 1 << 31 | upper << 32)
    records = decode(page)
    assert (len(records), records.malformed) == (1, 0)
    assert records.losses == (LossMark(0, 0, 90, 0),)


def test_a_loss_begins_after_the_last_event_of_its_own_cpu() -> None:
    pages = [
        SubBufferWriter(10).record(b"data", at_ns=20).finish(),
        SubBufferWriter(30).lost(1).record(b"data").finish(),
        SubBufferWriter(40).finish(),
        SubBufferWriter(50).lost(2).record(b"data").finish(),
    ]
    losses = decode(*pages, cpu=[0, 1, 1, 1]).losses
    assert losses == (LossMark(1, 0, 30, 1), LossMark(1, 30, 50, 2))


def test_few_sub_buffers_are_walked_as_many_are() -> None:
    writer = CpuWriter(0)
    for at_ns in range(LOCK_STEP_PAGES * 1000):
        writer.record(at_ns.to_bytes(8, "little"), at_ns=at_ns)
    pages = writer.take()
    few, many = pages[: LOCK_STEP_PAGES - 1], pages
    for some in (few, many):
        taken = sub_buffers({0: some})
        records = decode_sub_buffers(taken.data, taken.cpu, layout=SubBufferLayout())
        assert all(int.from_bytes(data, "little") == at for at, data in contents(records))
    assert len(records) == LOCK_STEP_PAGES * 1000


def test_the_header_page_says_where_things_are() -> None:
    assert parse_header_page(HEADER_PAGE) == SubBufferLayout()


@pytest.mark.parametrize(("name", "size"), [("mixed", 4096), ("wide", 65536)])
def test_recorded_header_pages_say_how_large_sub_buffers_are(
    name: str, size: int, recorded_layout: Callable[[str], SubBufferLayout]
) -> None:
    assert recorded_layout(name) == SubBufferLayout(size=size)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no field 'commit'"),
        (HEADER_PAGE.replace("commit", "other"), "names no field 'commit'"),
        (HEADER_PAGE.replace("char data", "char other"), "names no field 'data'"),
        (HEADER_PAGE.replace("offset:0", "offset:8"), "not that of a 64-bit kernel"),
        (HEADER_PAGE.replace("timestamp", "other"), "not that of a 64-bit kernel"),
        (HEADER_PAGE.replace("offset:8;\tsize:8", "offset:8;\tsize:4"), "No 64-bit kernel"),
        (HEADER_PAGE.replace("offset:8;\tsize:8", "offset:4;\tsize:8"), "No 64-bit kernel"),
        (HEADER_PAGE.replace("offset:16", "offset:12"), "No 64-bit kernel"),
        (HEADER_PAGE.replace("offset:16", "offset:18"), "No 64-bit kernel"),
        (HEADER_PAGE.replace("4080", "4081"), "No 64-bit kernel"),
        (HEADER_PAGE.replace("4080", "99999984"), "No 64-bit kernel"),
        (HEADER_PAGE.replace("4080", "9" * 5000), "names no field 'data'"),
    ],
)
def test_a_header_page_of_another_kind_of_kernel_is_refused(text: str, message: str) -> None:
    with pytest.raises(MalformedSubBuffer, match=message):
        parse_header_page(text)
