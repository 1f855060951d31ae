"""Fixtures that every test may use."""

import gzip
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from container_tracer.domain.model.event_format import EventFormat, parse_event_format
from container_tracer.domain.model.ring_buffer import SubBufferLayout, parse_header_page
from container_tracer.ports.kernel_tracer import SubBuffers

from .containerd.requirements import why_no_containerd

pytest_plugins = ["tests.containerd.fixtures"]

TRACEFS = Path("/sys/kernel/tracing")
RECORDED = Path(__file__).parent / "data/linux-6.18-x86_64"


def _why_no_kernel() -> str:
    """Say why the kernel cannot be traced here, or return the empty string."""
    if os.geteuid() != 0:
        return "tracing the kernel needs root"
    if not TRACEFS.is_dir():
        return f"this kernel has no tracing: there is no {TRACEFS}"
    if not (TRACEFS / "instances").is_dir():
        return f"tracefs cannot be mounted at {TRACEFS}"
    return ""


@cache
def _why_no_vsock() -> str:
    """Say why no program here can reach another over VSOCK, or return the empty string."""
    try:
        with (
            socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listener,
            socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as client,
        ):
            listener.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
            listener.listen()
            client.settimeout(0.2)
            client.connect((1, listener.getsockname()[1]))
    except OSError as error:
        return f"this kernel has no VSOCK loopback (module vsock_loopback): {error}"
    return ""


def pytest_configure(config: pytest.Config) -> None:
    """Mount tracefs once for all workers, if it is not mounted and can be."""
    if hasattr(config, "workerinput") or os.geteuid() != 0 or not TRACEFS.is_dir():
        return
    if not os.path.ismount(TRACEFS):
        mounted = subprocess.run(["mount", "-t", "tracefs", "nodev", TRACEFS], check=False)
        config.stash[_MOUNTED] = mounted.returncode == 0


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave tracefs as it was."""
    if config.stash.get(_MOUNTED, False):
        subprocess.run(["umount", TRACEFS], check=False)


_MOUNTED = pytest.StashKey[bool]()


_WHY_NOT: Mapping[str, Callable[[], str]] = {
    "kernel": _why_no_kernel,
    "containerd": why_no_containerd,
    "vsock": _why_no_vsock,
}
"""By marker, what says why this machine has not what the marked tests need."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs something that this machine has not."""
    for marker, why_not in _WHY_NOT.items():
        if why := why_not():
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(pytest.mark.skip(reason=why))


def _must_run(item: pytest.Item) -> bool:
    needs = [why_not() for marker, why_not in _WHY_NOT.items() if item.get_closest_marker(marker)]
    return "CI" in os.environ and bool(needs) and not any(needs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, let a test fail that was skipped although this machine has all it needs."""
    report: pytest.TestReport = yield
    if report.skipped and _must_run(item):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} must run here, but was skipped: {report.longrepr}"
    return report


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """Give a folder with a short path: that of a UNIX socket has 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="ct-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def recorded_format_texts() -> dict[str, str]:
    """Texts of all `format` files of a recorded kernel, by event name."""
    text = gzip.decompress((RECORDED / "formats.txt.gz").read_bytes()).decode()
    parts = (part.partition("\n") for part in text.split("### ")[1:])
    return {name: body for name, _, body in parts}


@pytest.fixture(scope="session")
def recorded_formats(recorded_format_texts: dict[str, str]) -> dict[str, EventFormat]:
    """All formats of a recorded kernel, by event name (`system:event`)."""
    return {name: parse_event_format(text) for name, text in recorded_format_texts.items()}


@pytest.fixture(scope="session")
def recorded_text() -> Callable[[str], str]:
    """Return the text of a file of the recorded kernel, unpacked."""

    def read(name: str) -> str:
        content = (RECORDED / name).read_bytes()
        return (gzip.decompress(content) if name.endswith(".gz") else content).decode()

    return read


@pytest.fixture(scope="session")
def recorded_layout(recorded_text: Callable[[str], str]) -> Callable[[str], SubBufferLayout]:
    """Return the layout of the sub-buffers of a recording."""

    def read(name: str) -> SubBufferLayout:
        return parse_header_page(
            recorded_text("header_page-wide" if name == "wide" else "header_page")
        )

    return read


@pytest.fixture(scope="session")
def recorded_pages(
    recorded_layout: Callable[[str], SubBufferLayout],
) -> Callable[[str], SubBuffers]:
    """Return the sub-buffers of a recording (see `tests/data/record.py`), all of them at once."""

    def read(name: str) -> SubBuffers:
        with np.load(RECORDED / f"{name}.npz") as columns:
            size = recorded_layout(name).size
            return SubBuffers(data=columns["data"], cpu=columns["cpu"], size=size)

    return read
