"""Every event of the running kernel can be read."""

import os
from pathlib import Path

import pytest

from container_tracer.domain.model.event_format import EventFormat, parse_event_format
from container_tracer.domain.model.ring_buffer import parse_header_page

EVENTS = Path("/sys/kernel/tracing/events")

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(
        os.geteuid() != 0 or not EVENTS.is_dir(),
        reason="needs root and tracefs at /sys/kernel/tracing",
    ),
]


@pytest.fixture(scope="module")
def formats() -> list[EventFormat]:
    return [parse_event_format(path.read_text()) for path in EVENTS.glob("*/*/format")]


def test_every_format_of_this_kernel_is_one_dtype(formats: list[EventFormat]) -> None:
    assert formats
    for one in formats:
        assert one.dtype.names is not None
        assert one.dtype.itemsize >= 8
        assert one.size >= 8


def test_event_ids_of_this_kernel_are_unique(formats: list[EventFormat]) -> None:
    assert len({one.event_id for one in formats}) == len(formats)


def test_this_kernels_sub_buffers_have_a_layout() -> None:
    layout = parse_header_page((EVENTS / "header_page").read_text())
    assert layout.size >= os.sysconf("SC_PAGESIZE")
    assert layout.data_offset == layout.commit_offset + layout.commit_size
