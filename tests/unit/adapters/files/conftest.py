"""Disks that do not take everything."""

import resource
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def limit_file_size() -> Iterator[Callable[[int], None]]:
    """Sets how long files of this process may become: the kernel then fails writes halfway."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
