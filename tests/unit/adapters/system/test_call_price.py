"""The price of a call is the least of many rounds, without what Python adds to it."""

import os
import threading
import time

import pytest

from container_tracer.adapters.system import call_price


def test_what_python_adds_and_disturbances_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = now = 0

    def step(nanoseconds: int) -> int:
        nonlocal now, calls
        calls += 1
        now += nanoseconds + (1000 if calls % 9_001 == 0 else 0)  # somebody disturbs at times
        return 1

    monkeypatch.setattr(call_price, "ROUND_NS", 100_000)
    monkeypatch.setattr(time, "perf_counter_ns", lambda: now)
    monkeypatch.setattr(os, "getppid", lambda: step(150))
    monkeypatch.setattr(threading, "get_ident", lambda: step(50))
    assert call_price.getppid_ns() == 100


def test_a_real_call_takes_time() -> None:
    assert call_price.getppid_ns() >= 1.0
