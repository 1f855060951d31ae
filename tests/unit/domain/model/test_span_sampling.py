"""Of a task's spans of one second all are kept, or none, whatever batches they come in."""

import numpy as np
import pytest
from attrs import evolve

from container_tracer.domain.model.sampling import SampleRate
from container_tracer.domain.model.span_sampling import WINDOW_NS, SpanSampling
from container_tracer.domain.model.spans import SpanBatch
from container_tracer.fakes.spans import NOON_NS, FakeSpan, many_spans, span_batch

TENTH = SpanSampling(rate=SampleRate(10), seed=7)


def busy(*, tasks: int, seconds: int, each: int) -> SpanBatch:
    """Make spans of many tasks, `each` per task and second, in order of their end."""
    count = tasks * seconds * each
    number = np.arange(count)
    batch = many_spans(count)
    end = NOON_NS + number * (seconds * WINDOW_NS // count)
    return evolve(
        batch,
        tid=(number % tasks).astype(np.int32),
        container=((number % tasks) % 3 % len(batch.containers)).astype(np.int32),
        start_ns=end - 700,
        end_ns=end,
    )


def windows(batch: SpanBatch) -> list[tuple[int, int, int]]:
    window = batch.end_ns // WINDOW_NS
    return list(zip(batch.container.tolist(), batch.tid.tolist(), window.tolist(), strict=True))


def test_always_keeps_the_very_batch_and_never_nothing() -> None:
    batch = many_spans(100)
    assert SpanSampling(rate=SampleRate(), seed=7).keep(batch) is batch
    assert len(SpanSampling(rate=SampleRate(0), seed=7).keep(batch)) == 0


@pytest.mark.parametrize("percent", [1, 10, 50, 99])
def test_windows_are_kept_whole_and_so_many_of_them(percent: float) -> None:
    batch = busy(tasks=2_000, seconds=4, each=3)
    kept = SpanSampling(rate=SampleRate(percent), seed=7).keep(batch)
    whole, some = windows(batch), windows(kept)
    chosen = set(some)
    assert [one for one in whole if one in chosen] == some
    assert len(chosen) / len(set(whole)) == pytest.approx(percent / 100, rel=0.2)


def test_batches_do_not_matter() -> None:
    batch = busy(tasks=100, seconds=3, each=7)
    parts = [batch.take(slice(at, at + 97)) for at in range(0, len(batch), 97)]
    together = [row for part in parts for row in windows(TENTH.keep(part))]
    assert together == windows(TENTH.keep(batch))


def test_runs_differ() -> None:
    batch = busy(tasks=1_000, seconds=1, each=1)
    other = SpanSampling(rate=SampleRate(10), seed=8)
    assert set(windows(TENTH.keep(batch))) != set(windows(other.keep(batch)))


def test_a_second_begins_with_that_of_the_wall_clock_and_the_end_of_a_span_counts() -> None:
    late = FakeSpan(start_ns=NOON_NS - 5 * WINDOW_NS, duration_ns=5 * WINDOW_NS)
    last = FakeSpan(start_ns=NOON_NS + WINDOW_NS - 2, duration_ns=1)
    batch = span_batch(late, last)
    for seed in range(64):
        assert len(SpanSampling(rate=SampleRate(50), seed=seed).keep(batch)) in (0, 2)


def test_seeds_may_have_all_64_bits() -> None:
    assert len(SpanSampling(rate=SampleRate(100), seed=2**64 - 1).keep(many_spans(5))) == 5
    assert len(SpanSampling(rate=SampleRate(0), seed=2**64 - 1).keep(many_spans(5))) == 0
