"""Fixtures that every test may use."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from container_tracer.domain.model.event_format import EventFormat, parse_event_format
from container_tracer.domain.model.ring_buffer import SubBufferLayout, parse_header_page
from container_tracer.ports.kernel_tracer import SubBuffers

RECORDED = Path(__file__).parent / "data/linux-6.18-x86_64"


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
