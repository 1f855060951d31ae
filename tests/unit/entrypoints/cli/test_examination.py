"""Measuring what tracing costs others leaves nothing behind, whatever happens meanwhile."""

import asyncio
import os
import signal

import pytest

from container_tracer.entrypoints.cli import examination
from container_tracer.entrypoints.cli.examination import GETPPID, measure_price
from container_tracer.fakes.kernel_tracer import FakeKernelTracer
from container_tracer.ports.errors import TracingUnavailable


@pytest.fixture
def kernel(recorded_format_texts: dict[str, str]) -> FakeKernelTracer:
    return FakeKernelTracer(formats={name: recorded_format_texts[name] for name in GETPPID})


def test_a_call_is_timed_before_a_source_is_open_and_while_it_records(
    kernel: FakeKernelTracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed() -> float:
        sources = kernel.open_sources
        return 190.0 if sources and sources[0].on and not sources[0].followed else 100.0

    monkeypatch.setattr(examination, "getppid_ns", timed)
    price = measure_price(kernel)
    assert (price.idle_ns, price.traced_ns, price.skipped) == (100.0, 190.0, "")
    assert len(kernel.sources) == 1
    assert kernel.open_sources == []


def test_the_source_is_closed_where_measuring_fails(
    kernel: FakeKernelTracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> float:
        if kernel.sources:
            raise RuntimeError
        return 1.0

    monkeypatch.setattr(examination, "getppid_ns", broken)
    with pytest.raises(RuntimeError):
        measure_price(kernel)
    assert kernel.open_sources == []


def test_the_source_is_closed_where_it_does_not_start(
    kernel: FakeKernelTracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "getppid_ns", lambda: 1.0)
    kernel.failures["start"] = TracingUnavailable("Not now.")
    with pytest.raises(TracingUnavailable):
        measure_price(kernel)
    assert kernel.open_sources == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_waits_until_the_source_is_closed(
    kernel: FakeKernelTracer, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def signalled() -> float:
        os.kill(os.getpid(), number)
        return 1.0

    came = asyncio.Event()
    monkeypatch.setattr(examination, "getppid_ns", signalled)
    asyncio.get_running_loop().add_signal_handler(number, came.set)
    try:
        measure_price(kernel)
        assert not came.is_set()
        assert kernel.open_sources == []
        async with asyncio.timeout(10):
            await came.wait()
    finally:
        asyncio.get_running_loop().remove_signal_handler(number)
