"""Fixtures of real containers; `tests/conftest.py` makes them known to all tests."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from .conversation import Conversation
from .daemon import Containerd
from .pods import Pods
from .requirements import why_no_containerd

MakeConversation = Callable[[], Conversation]


@pytest.fixture(scope="session")
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    """A containerd of this worker's own; whoever kills it starts it again."""
    if why := why_no_containerd():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("containerd")
    name = f"test-{os.getpid()}-{time.monotonic_ns():x}"
    daemon = Containerd(folder, cgroup=f"/{name}")
    try:
        daemon.install()
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture
def pods(containerd: Containerd, tmp_path: Path) -> Iterator[Pods]:
    """Makes pods, and ends them after the test."""
    with Pods(
        endpoint=containerd.endpoint, cgroup=containerd.cgroup, logs=tmp_path / "logs"
    ) as made:
        yield made


@pytest.fixture
def converse(tmp_path: Path) -> Iterator[MakeConversation]:
    """Make conversations with workloads, one for each container that runs one."""
    folders = (tmp_path / f"conversation-{number}" for number in count())
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Conversation(next(folders)))
