import os
import threading
import time

import pytest

from container_tracer.adapters.system.threads import (
    DRAIN_NICENESS,
    DRAIN_THREADS,
    drain_executor,
)


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_drains_go_first_where_that_is_allowed() -> None:
    before = niceness()
    with drain_executor() as executor:
        inside = executor.submit(niceness).result()
    assert inside == (DRAIN_NICENESS if os.geteuid() == 0 else before)
    assert niceness() == before


def test_where_it_is_not_allowed_they_work_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    with drain_executor() as executor:
        assert executor.submit(niceness).result() == niceness()


def test_there_are_as_many_threads_as_may_drain_at_once() -> None:
    with drain_executor() as executor:
        running = [executor.submit(time.sleep, 0.01) for _ in range(10)]
        names = {one.name for one in threading.enumerate() if one.name.startswith("drain")}
        assert 0 < len(names) <= DRAIN_THREADS
        for one in running:
            one.result()
