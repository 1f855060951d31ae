"""Summaries: what is exact is exact, the rest is within its error, and they can be merged."""

from collections import Counter
from collections.abc import Sequence

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.distribution import RELATIVE_ERROR
from container_tracer.domain.model.pod import Container
from container_tracer.domain.model.spans import SpanKind, SpanOutcome
from container_tracer.domain.model.summary import ENDED, MAX_ENDED, OTHER, CallSummary, Summary
from container_tracer.fakes.spans import (
    GETPID,
    LONE,
    OPENAT,
    READ,
    WEB,
    FakeSpan,
    many_spans,
    span_batch,
)

SPANS = st.builds(
    FakeSpan,
    duration_ns=st.one_of(st.integers(0, 5_000), st.integers(0, 10**15)),
    container=st.sampled_from([WEB, LONE]),
    kind=st.sampled_from([READ, OPENAT, GETPID]),
    arguments=st.just(()),
    result=st.sampled_from([0, 7, -2, -4095, -4096]),
)
LISTS = st.lists(SPANS, max_size=30)


def summary_of(*lists: Sequence[FakeSpan], max_calls: int = 4096) -> Summary:
    summary = Summary(max_calls)
    for spans in lists:
        summary.add(span_batch(*spans))
    return summary


def numbers(summary: Summary) -> dict[tuple[object, str], CallSummary]:
    return {(one.container.key, one.name): one for one in summary.calls()}


@given(LISTS, LISTS)
def test_counts_errors_totals_and_maxima_are_exact(
    some: list[FakeSpan], others: list[FakeSpan]
) -> None:
    found = numbers(summary_of(some, others))
    spans = some + others
    assert {key: one.count for key, one in found.items()} == Counter(
        (span.container.key, span.kind.name) for span in spans
    )
    for (container, name), one in found.items():
        mine = [s for s in spans if (s.container.key, s.kind.name) == (container, name)]
        assert one.total_ns == sum(span.duration_ns for span in mine)
        assert one.max_ns == max(span.duration_ns for span in mine)
        assert one.errors == sum(span.result in (-2, -4095) for span in mine)
        assert sum(one.buckets.values()) == len(mine)


@given(st.lists(SPANS, min_size=1))
def test_percentiles_are_within_their_error(spans: list[FakeSpan]) -> None:
    for (container, name), one in numbers(summary_of(spans)).items():
        exact = sorted(
            span.duration_ns
            for span in spans
            if (span.container.key, span.kind.name) == (container, name)
        )
        for percent, found in ((50, one.p50_ns), (95, one.p95_ns), (99, one.p99_ns)):
            real = exact[-(-percent * len(exact) // 100) - 1]
            assert abs(found - real) <= RELATIVE_ERROR * real
            assert found <= one.max_ns


@given(LISTS, LISTS, LISTS)
def test_it_makes_no_difference_what_is_merged_into_what(
    a: list[FakeSpan], b: list[FakeSpan], c: list[FakeSpan]
) -> None:
    left = summary_of(a)
    left.merge(summary_of(b))
    left.merge(summary_of(c))
    right = summary_of(c)
    inner = summary_of(b)
    inner.merge(summary_of(a))
    right.merge(inner)
    assert numbers(left) == numbers(right) == numbers(summary_of(a, b, c))


def test_calls_that_took_longest_in_all_come_first() -> None:
    spans = [FakeSpan(kind=READ, duration_ns=5)] * 3
    spans += [FakeSpan(kind=GETPID, arguments=(), duration_ns=20)]
    assert [one.name for one in summary_of(spans).calls()] == ["getpid", "read"]


def test_what_was_not_seen_to_begin_and_return_has_no_duration() -> None:
    incomplete = [
        FakeSpan(result=None, outcome=SpanOutcome.UNFINISHED, duration_ns=10**9),
        FakeSpan(arguments=None, outcome=SpanOutcome.BEGAN_BEFORE, result=-2, duration_ns=10**9),
    ]
    endless = FakeSpan(result=None, outcome=SpanOutcome.NEVER_RETURNS, duration_ns=0)
    (one,) = summary_of([FakeSpan(duration_ns=100), endless, *incomplete]).calls()
    assert (one.count, one.errors, one.incomplete) == (4, 1, 2)
    assert (one.total_ns, one.max_ns, one.p99_ns) == (100, 100, 100)
    assert sum(one.buckets.values()) == 1


def test_of_incomplete_spans_alone_every_duration_is_0() -> None:
    spans = [FakeSpan(result=None, outcome=SpanOutcome.LOST)]
    (one,) = summary_of(spans).calls()
    assert (one.count, one.incomplete) == (1, 1)
    assert (one.total_ns, one.p50_ns, one.max_ns) == (0, 0, 0)


def test_nothing_comes_to_nothing() -> None:
    summary = summary_of([])
    assert (summary.spans, summary.incomplete, summary.calls()) == (0, 0, [])


def test_what_has_no_row_of_its_own_any_more_is_counted_in_one_for_all() -> None:
    containers = [Container(name=f"c{number}", pod="p") for number in range(10)]
    spans = [FakeSpan(container=one, duration_ns=7) for one in containers]
    summary = summary_of(spans, spans, max_calls=3)
    calls = summary.calls()
    assert summary.spans == sum(one.count for one in calls) == 20
    (other,) = [one for one in calls if one.name == OTHER]
    assert (other.count, other.total_ns, other.container.pod) == (14, 98, "")
    assert len(calls) == 4


def test_merging_into_a_full_one_loses_nothing() -> None:
    containers = [Container(name=f"c{number}", pod="p") for number in range(10)]
    one = summary_of([FakeSpan(container=c) for c in containers[:5]], max_calls=3)
    other = summary_of([FakeSpan(container=c) for c in containers[3:]], max_calls=3)
    one.merge(other)
    assert one.spans == sum(call.count for call in one.calls()) == 12
    assert sum(sum(call.buckets.values()) for call in one.calls()) == 12


def test_a_container_that_comes_later_to_the_same_tables_has_its_row() -> None:
    containers = [WEB]
    batch = evolve(span_batch(FakeSpan()), containers=containers)
    summary = Summary()
    summary.add(batch)
    containers.append(LONE)
    summary.add(evolve(batch, container=batch.container + 1))
    assert {one.container.name: one.count for one in summary.calls()} == {"nginx": 1, "builder": 1}


def test_batches_of_other_tables_are_told_apart_by_names_not_numbers() -> None:
    summary = summary_of([FakeSpan(kind=READ)], [FakeSpan(kind=OPENAT)], [FakeSpan(kind=READ)])
    assert {one.name: one.count for one in summary.calls()} == {"read": 2, "openat": 1}


def test_a_copy_goes_its_own_way() -> None:
    summary = summary_of([FakeSpan()])
    copy = summary.copy()
    summary.add(span_batch(FakeSpan(), FakeSpan(kind=OPENAT)))
    copy.add(span_batch(FakeSpan(kind=GETPID, arguments=())))
    assert {one.name: one.count for one in summary.calls()} == {"read": 2, "openat": 1}
    assert {one.name: one.count for one in copy.calls()} == {"read": 1, "getpid": 1}


def test_memory_does_not_grow_with_spans() -> None:
    summary = Summary()
    batch = many_spans(5_000)
    summary.add(batch)
    before = summary.nbytes
    for _ in range(20):
        summary.add(batch)
    assert (summary.nbytes, summary.spans) == (before, 21 * 5_000)


def pods(count: int) -> list[Container]:
    return [Container(name="app", pod=f"job-{number}") for number in range(count)]


def totals(summary: Summary) -> dict[str, tuple[int, ...]]:
    """By name of the call, the numbers of all containers together."""
    found: dict[str, Counter[object]] = {}
    longest: dict[str, int] = {}
    for one in summary.calls():
        sums = found.setdefault(one.name, Counter())
        sums.update(one.buckets)
        sums.update({"n": one.count, "e": one.errors, "i": one.incomplete, "t": one.total_ns})
        longest[one.name] = max(longest.get(one.name, 0), one.max_ns)
    return {
        name: (longest[name], *(count for _, count in sorted(sums.items(), key=str)))
        for name, sums in found.items()
    }


@settings(max_examples=10, deadline=None)
@given(LISTS, st.lists(st.sampled_from([READ, OPENAT, GETPID]), min_size=300, max_size=300))
def test_containers_that_end_become_one_and_nothing_is_lost(
    spans: list[FakeSpan], kinds: list[SpanKind]
) -> None:
    summary, all_of_them = summary_of(spans), summary_of(spans)
    summary.close(LONE)
    for container, kind in zip(pods(300), kinds, strict=True):
        span = FakeSpan(container=container, kind=kind, arguments=(), duration_ns=len(kind.name))
        for one in (summary, all_of_them):
            one.add(span_batch(span))
        summary.close(container)
    assert totals(summary) == totals(all_of_them)
    names = {one.container.name for one in summary.calls()}
    assert ENDED.name in names
    own_rows = {one.container.key for one in summary.calls()} - {ENDED.key}
    assert len(own_rows - {WEB.key, LONE.key}) <= MAX_ENDED
    assert pods(300)[-1].key in own_rows
    summary.add(span_batch(*spans))
    all_of_them.add(span_batch(*spans))
    assert totals(summary) == totals(all_of_them)


def test_a_container_that_runs_keeps_its_rows_however_many_end() -> None:
    summary = summary_of([FakeSpan(container=WEB, kind=READ, arguments=())])
    summary.close(WEB)
    summary.reopen(WEB)
    for container in pods(3 * MAX_ENDED):
        summary.add(span_batch(FakeSpan(container=container, kind=READ, arguments=())))
        summary.close(container)
    found = numbers(summary)
    assert found[WEB.key, READ.name].count == 1
    assert found[ENDED.key, READ.name].count >= 2 * MAX_ENDED
    assert summary.spans == 3 * MAX_ENDED + 1


def test_rows_of_ended_containers_make_room_for_running_ones() -> None:
    summary = Summary(max_calls=8)
    for container in pods(100):
        summary.add(span_batch(FakeSpan(container=container, kind=READ, arguments=())))
        summary.close(container)
    assert {one.name for one in summary.calls()} == {READ.name}
    assert summary.spans == 100


def test_memory_stays_flat_while_ten_thousand_containers_come_and_go() -> None:
    summary, sizes = Summary(), []
    for container in pods(10_000):
        summary.add(span_batch(FakeSpan(container=container, kind=READ, arguments=())))
        summary.close(container)
        sizes.append(summary.nbytes)
    assert max(sizes) == max(sizes[:1_000])
    assert len(summary.calls()) <= MAX_ENDED + 1
    assert summary.spans == 10_000
