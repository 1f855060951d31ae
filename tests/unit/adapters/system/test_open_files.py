"""As many files may be open as the system lets a process have, up to what is of use."""

import resource
from collections.abc import Iterator

import pytest

from container_tracer.adapters.system.open_files import WANTED, allow_many_files


@pytest.fixture
def hard() -> Iterator[int]:
    """Put the limits back after the test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_low_limit_is_raised(hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert allow_many_files() == min(WANTED, hard)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(WANTED, hard), hard)


def test_a_limit_that_is_high_enough_is_left_alone(hard: int) -> None:
    most = min(WANTED, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    assert allow_many_files() == most
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, hard)
