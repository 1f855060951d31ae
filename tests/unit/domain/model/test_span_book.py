"""The book counts every span once, by name and by how it ended, in memory that has a bound."""

import tracemalloc

import pytest
from attrs import define, field

from container_tracer.domain.model.single_span import (
    AttributeMap,
    SingleSpan,
    SingleSpanKind,
    SpanEvent,
    SpanStatus,
)
from container_tracer.domain.model.span_book import (
    BUCKET_FLOORS_NS,
    MAX_BYTES,
    MAX_ERROR_KINDS,
    MAX_NAMES,
    MAX_RUNNING,
    OTHER_KINDS,
    OTHER_NAMES,
    RUNNING_SAMPLES,
    SpanBook,
)
from container_tracer.domain.model.span_choice import SpanChoice
from container_tracer.domain.model.trace_context import SpanContext

TRACE = b"\1" * 16


def over(
    name: str = "a",
    *,
    duration_ns: int = 1,
    number: int = 1,
    started_ns: int = 1000,
    failed: bool = False,
    attributes: AttributeMap | None = None,
    trace_id: bytes = TRACE,
) -> SingleSpan:
    return SingleSpan(
        name=name,
        trace_id=trace_id,
        span_id=number.to_bytes(8, "big"),
        started_ns=started_ns,
        ended_ns=started_ns + duration_ns,
        attributes=attributes or {},
        status=SpanStatus.ERROR if failed else SpanStatus.UNSET,
    )


@define
class Running:
    """A span that is not over."""

    name: str
    context: SpanContext
    started_ns: int = 0
    kind: SingleSpanKind = SingleSpanKind.INTERNAL
    parent_span_id: bytes = b""
    attributes: dict[str, int] = field(factory=dict)


def running(number: int, name: str = "a", *, started_ns: int = 0) -> Running:
    context = SpanContext(trace_id=TRACE, span_id=number.to_bytes(8, "big"))
    return Running(name, context, started_ns)


@pytest.mark.parametrize(
    ("duration_ns", "bucket"),
    [
        (-5, 0),
        (0, 0),
        (9_999, 0),
        (10_000, 1),
        (99_999, 1),
        (100_000, 2),
        (10**6, 3),
        (10**7, 4),
        (10**8, 5),
        (10**9 - 1, 5),
        (10**9, 6),
        (10**10, 7),
        (10**11 - 1, 7),
        (10**11, 8),
        (10**15, 8),
    ],
)
def test_a_bucket_begins_at_its_floor(duration_ns: int, bucket: int) -> None:
    book = SpanBook()
    book.ended(over(duration_ns=duration_ns))
    counts = [one.count for one in book.names["a"].buckets]
    assert counts == [int(place == bucket) for place in range(len(BUCKET_FLOORS_NS))]


def test_who_failed_is_counted_by_how_and_in_no_bucket() -> None:
    book = SpanBook()
    book.ended(over())
    book.ended(over(failed=True))
    book.ended(over(failed=True, attributes={"error.type": "X", "http.response.status_code": 1}))
    book.ended(over(failed=True, attributes={"http.response.status_code": 503}))
    book.ended(over(attributes={"http.response.status_code": 404}))
    name = book.names["a"]
    assert {kind: one.count for kind, one in name.errors.items()} == {"error": 1, "X": 1, "503": 1}
    assert (name.ended, name.failed, name.buckets[0].count) == (5, 3, 2)
    (sample,) = name.errors["503"].samples.newest_first()
    assert sample.error == "503"


def test_what_runs_is_shown_as_it_is_now_longest_first_until_it_ends() -> None:
    book = SpanBook()
    spans = [running(number, started_ns=100 - number) for number in range(1, 30)]
    for one in spans:
        book.began(one)
    spans[-1].attributes["late"] = 1
    name = book.names["a"]
    shown = name.longest_running(now_ns=171)
    assert [one.started_ns for one in shown] == list(range(71, 71 + RUNNING_SAMPLES))
    assert (shown[0].duration_ns, shown[0].running) == (100, True)
    assert shown[0].attributes == (("late", 1),)
    book.ended(over("renamed", number=29))
    assert len(name.running) == 28
    assert name.ended == 0
    assert book.names["renamed"].ended == 1


def test_what_fits_everything_that_is_said_is_chosen() -> None:
    book = SpanBook()
    book.ended(over("late", started_ns=30, duration_ns=10**9))
    book.ended(over("late", started_ns=20, failed=True, attributes={"error.type": "X"}))
    book.ended(over("other", started_ns=25, failed=True))
    book.ended(over("other", trace_id=b"\2" * 16, started_ns=5))
    book.began(running(7, "running", started_ns=10))
    book.began(running(8, "running", started_ns=9))

    def starts(choice: SpanChoice) -> list[int]:
        return [one.started_ns for one in choice.samples(book, 100)]

    assert starts(SpanChoice(trace_id=TRACE)) == [9, 10, 20, 25, 30]
    assert starts(SpanChoice(name="late")) == [30, 20]
    assert starts(SpanChoice(name="late", trace_id=b"\2" * 16)) == []
    assert starts(SpanChoice(running=True)) == [9, 10]
    assert starts(SpanChoice(bucket=6)) == [30]
    assert starts(SpanChoice(bucket=0, name="late")) == []
    assert starts(SpanChoice(error="")) == [25, 20]
    assert starts(SpanChoice(error="X")) == [20]
    assert starts(SpanChoice(name="nobody")) == []
    assert [one.name for one in SpanChoice().names(book)] == ["late", "other", "running"]
    assert [one.name for one in SpanChoice(name="late").names(book)] == ["late"]


def test_names_and_kinds_beyond_a_number_are_counted_together() -> None:
    book = SpanBook()
    for number in range(MAX_NAMES + 20):
        book.ended(over(f"name {number}"))
        book.began(running(number + 1, f"name {number}"))
        book.ended(over("name 0", failed=True, attributes={"error.type": str(number)}))
    assert len(book.names) == MAX_NAMES + 1
    assert book.names[OTHER_NAMES].ended == 20
    assert len(book.names[OTHER_NAMES].running) == 20
    errors = book.names["name 0"].errors
    assert len(errors) == MAX_ERROR_KINDS + 1
    assert errors[OTHER_KINDS].count == MAX_NAMES + 20 - MAX_ERROR_KINDS


def test_no_more_running_spans_are_held_than_can_be_told_apart() -> None:
    book = SpanBook()
    for number in range(1, MAX_RUNNING + 100):
        book.began(running(number))
    assert len(book.names["a"].running) == MAX_RUNNING
    for number in range(1, MAX_RUNNING + 100):
        book.ended(over(number=number))
    assert not book.names["a"].running
    assert book.names["a"].ended == MAX_RUNNING + 99


def test_memory_is_bounded_whatever_comes() -> None:
    """Every name in every bucket and way to fail, with more text than is kept, all of it wide."""
    wide = "\U0001f600" * 250
    events = [SpanEvent(name=wide, time_ns=0, attributes={wide: wide})] * 5
    tracemalloc.start()
    book = SpanBook()
    before, _ = tracemalloc.get_traced_memory()
    for name in range(MAX_NAMES + 1):
        for place in range((len(BUCKET_FLOORS_NS) + MAX_ERROR_KINDS + 1) * 4):
            bucket, nth = divmod(place, 4)
            failed = bucket >= len(BUCKET_FLOORS_NS)
            duration_ns = 0 if failed else BUCKET_FLOORS_NS[bucket]
            book.ended(
                SingleSpan(
                    name=f"{name}{wide}",
                    kind=(SingleSpanKind.SERVER, SingleSpanKind.CLIENT)[nth % 2],
                    trace_id=name.to_bytes(16, "big"),
                    span_id=place.to_bytes(8, "big"),
                    started_ns=(place * 400 + name) * 10**9 - duration_ns,
                    ended_ns=(place * 400 + name) * 10**9,
                    attributes={
                        "error.type": f"{bucket}{wide}",
                        **{f"{n}{wide}": wide for n in range(9)},
                    },
                    events=events,
                    status=SpanStatus.ERROR if failed else SpanStatus.OK,
                    status_message=f"{place}{wide}",
                )
            )
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = sum(len(list(one.samples(0))) for one in book.names.values())
    assert kept == (MAX_NAMES + 1) * (len(BUCKET_FLOORS_NS) + MAX_ERROR_KINDS + 1) * 4
    assert MAX_BYTES / 4 < after - before < MAX_BYTES
