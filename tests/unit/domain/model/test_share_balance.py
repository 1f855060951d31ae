"""Every event of a session is accounted for, after every drain, whatever it asked for."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.ring_buffer import LossMark
from container_tracer.domain.model.share import FOREVER, SessionShare
from container_tracer.domain.model.spans import SpanFilter
from container_tracer.fakes.tiny_kernel import TinyKernel
from container_tracer.fakes.trace_stage import Drained, TraceStage

MOMENTS = st.integers(990, 1_250)
STEPS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 199), st.sampled_from([0, 0, 1, 5])),
    min_size=40,
    max_size=140,
)
FILTERS = st.builds(
    SpanFilter,
    names=st.sampled_from([None, None, frozenset({"read"}), frozenset({"clone", "execve"})]),
    min_duration_ns=st.sampled_from([0, 0, 3]),
    errors_only=st.sampled_from([False, False, True]),
)
SHARES = st.lists(
    st.builds(
        SessionShare,
        session_id=st.uuids().map(str),
        spans=FILTERS,
        containers=st.sets(st.integers(0, 2), min_size=1),
        since_ns=st.sampled_from([0, 1_000, 1_030, 1_060]),
        until_ns=MOMENTS | st.just(FOREVER),
        max_spans=st.sampled_from([0, 0, 1, 4, 20]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one.session_id,
)
MARKS = st.lists(
    st.tuples(st.integers(0, 2), MOMENTS, st.integers(0, 40)).map(
        lambda one: LossMark(one[0], one[1], one[1] + one[2])
    ),
    max_size=2,
)


def balanced(share: SessionShare, delivered: tuple[int, int]) -> bool:
    """Compare what a share counted with the events and spans it gave."""
    counts = share.statistics
    return (counts.passed, counts.spans) == (delivered[0] + counts.open, delivered[1])


def check_windows(shares: list[SessionShare], drained: Drained) -> None:
    owned = np.zeros(len(drained.table), dtype=np.bool_)
    time_ns, container = drained.table.time_ns, drained.whose.container
    for share in shares:
        batch = drained.spans[share.session_id]
        assert set(batch.container.tolist()) <= share.containers
        if len(batch):
            assert share.since_ns <= batch.start_ns.min()
            assert batch.end_ns.max() <= share.until_ns
            assert (batch.start_ns <= batch.end_ns).all()
        inside = (time_ns >= share.since_ns) & (time_ns <= share.until_ns)
        owned |= inside & np.isin(container, list(share.containers))
    assert drained.owned.tolist() == owned.tolist()


@settings(max_examples=150, derandomize=True, deadline=None)
@given(STEPS, SHARES, MARKS, st.sets(MOMENTS, max_size=6))
def test_attributed_is_filtered_out_delivered_or_open_after_every_drain(
    steps: list[tuple[int, int, int]],
    shares: list[SessionShare],
    marks: list[LossMark],
    horizons: set[int],
) -> None:
    kernel = TinyKernel.ran(steps)
    stage = TraceStage.watching(kernel)
    delivered = {stage.share(share).session_id: (0, 0) for share in shares}
    attributed = 0
    for since, until in pairwise([0, *sorted(horizons), 1 << 40]):
        chunk = [one for one in kernel.events.events if since <= one.time_ns < until]
        due = [one for one in marks if one.since_ns < until and one.until_ns >= since]
        drained = stage.drain(chunk, losses=due, now_ns=min(until, 2_000))
        check_windows(shares, drained)
        attributed += int(np.count_nonzero(drained.owned))
        for share in shares:
            events, spans = delivered[share.session_id]
            batch = drained.spans[share.session_id]
            delivered[share.session_id] = (events + batch.events, spans + len(batch))
            assert balanced(share, delivered[share.session_id])
    most = max(share.statistics.attributed for share in shares)
    assert most <= attributed <= sum(share.statistics.attributed for share in shares)
    for share in shares:
        share.until_ns = min(share.until_ns, 3_000)
        events, spans = delivered[share.session_id]
        batch = stage.finish(share.session_id)
        assert balanced(share, (events + batch.events, spans + len(batch)))
        assert share.statistics.open == 0
        assert sum(share.statistics.attributed_by_cpu.values()) == share.statistics.attributed
        limit = share.max_spans or FOREVER
        assert share.statistics.spans <= limit
        assert share.full == (share.statistics.spans == limit)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(STEPS, st.sets(MOMENTS, max_size=6), st.integers(1, 12))
def test_a_limit_gives_the_first_spans_of_those_there_are(
    steps: list[tuple[int, int, int]], horizons: set[int], limit: int
) -> None:
    kernel = TinyKernel.ran(steps)
    stage = TraceStage.watching(kernel)
    for name, most in (("all", 0), ("some", limit)):
        stage.share(
            SessionShare(
                session_id=name,
                spans=SpanFilter(),
                containers={0, 1},
                since_ns=0,
                max_spans=most,
            )
        )
    ends: dict[str, list[tuple[int, int]]] = {"all": [], "some": []}
    for since, until in pairwise([0, *sorted(horizons), 1 << 40]):
        chunk = [one for one in kernel.events.events if since <= one.time_ns < until]
        for name, batch in stage.drain(chunk).spans.items():
            ends[name] += zip(batch.end_ns.tolist(), batch.tid.tolist(), strict=True)
    assert ends["some"] == ends["all"][:limit]
