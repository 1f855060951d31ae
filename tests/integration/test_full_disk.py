import asyncio
import ctypes
import json
import os
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from container_tracer.adapters.files.file_format import FileFormat
from container_tracer.adapters.files.single_spans import FileSingleSpanExporter
from container_tracer.adapters.files.span_exporter import FileSpanExporter
from container_tracer.adapters.system.clock import SystemClock
from container_tracer.domain.model.stats import ExporterStats
from container_tracer.domain.services.deliveries import Deliveries
from container_tracer.fakes.spans import many_spans
from container_tracer.ports.errors import ExportDelayed, ExportFailed
from container_tracer.ports.span_exporter import SpanSink, TraceContext
from tests.single_spans.examples import ROOT

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root"),
]

MEBIBYTE = 2**20
MNT_DETACH = 2  # include/uapi/linux/fs.h, man 2 umount


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    libc = ctypes.CDLL(None, use_errno=True)
    target = os.fsencode(tmp_path)
    if libc.mount(b"small_disk", target, b"tmpfs", 0, b"size=1m"):
        pytest.skip(f"this root may not mount: {os.strerror(ctypes.get_errno())}")
    yield tmp_path
    assert libc.umount2(target, MNT_DETACH) == 0


def spans_in(path: str, file_format: FileFormat) -> list[dict[str, Any]]:
    text = Path(path).read_text()
    if file_format == "jsonl":
        assert text == "" or text.endswith("}\n")
        return [json.loads(line) for line in text.splitlines()]
    return [event for event in json.loads(text) if event["ph"] == "X"]


async def batches_until_full(sink: SpanSink) -> int:
    """Write batches of 300 spans until one fails; tell how many did not."""
    for count in range(MEBIBYTE):
        try:
            await sink.write(many_spans(300))
        except ExportFailed as error:
            assert "cannot take more: no space left on device; make room" in str(error)  # noqa: PT017
            return count
    raise AssertionError("the disk never became full")


@pytest.mark.parametrize("file_format", ["jsonl", "perfetto"])
async def test_a_full_disk_costs_only_the_batches_that_do_not_fit(
    small_disk: Path, file_format: FileFormat
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(MEBIBYTE // 2))
    sink = await FileSpanExporter(small_disk, format=file_format).open(TraceContext(session_id="1"))
    delivered = 300 * await batches_until_full(sink)
    assert delivered
    assert len(spans_in(sink.output, file_format)) == delivered
    assert os.statvfs(small_disk).f_bavail > 0, "the part that did not fit still takes room"

    with pytest.raises(ExportFailed, match="no space left on device"):
        await sink.write(many_spans(3000))
    ballast.unlink()
    await sink.write(many_spans(300))
    await sink.close()
    assert len(spans_in(sink.output, file_format)) == delivered + 300


def fill(disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (disk / "ballast").write_bytes(bytes(2 * MEBIBYTE))


async def test_a_disk_without_room_for_the_first_line_leaves_an_empty_file(
    small_disk: Path,
) -> None:
    fill(small_disk)
    sink = await FileSpanExporter(small_disk, format="jsonl").open(TraceContext(session_id="1"))
    with pytest.raises(ExportFailed, match="no space left on device"):
        await sink.write(many_spans(1))
    await sink.close()
    assert spans_in(sink.output, "jsonl") == []


async def test_a_disk_without_room_for_the_head_gets_no_file(small_disk: Path) -> None:
    fill(small_disk)
    exporter = FileSpanExporter(small_disk, format="perfetto")
    with pytest.raises(ExportFailed, match="no space left on device"):
        await exporter.open(TraceContext(session_id="1"))
    assert os.listdir(small_disk) == ["ballast"]  # noqa: PTH208 - names are enough


async def test_single_spans_wait_while_the_disk_is_full_and_arrive_when_there_is_room(
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    exporter = FileSingleSpanExporter(directory=small_disk, format="jsonl")
    await exporter.send([ROOT])
    ballast.write_bytes(bytes(MEBIBYTE - 8_192))
    large = [evolve(ROOT, attributes={"text": "x" * 100_000})]
    for _ in range(3):
        with pytest.raises(ExportDelayed, match="no space left on device; make room"):
            await exporter.send(large)
    ballast.unlink()
    await exporter.send(large)
    await exporter.close()
    assert [len(spans_in(path, "jsonl")) for path in paths_in(small_disk)] == [1, 1]


def paths_in(directory: Path) -> list[str]:
    return sorted(map(str, directory.iterdir()))


@pytest.mark.parametrize("file_format", ["jsonl", "perfetto"])
async def test_on_a_disk_that_fills_and_empties_by_chance_each_span_is_accounted_for(
    small_disk: Path, file_format: FileFormat
) -> None:
    drawn = random.Random(7)  # noqa: S311 - not for secrets
    exporter = FileSpanExporter(small_disk, format=file_format)
    exporter.gather_seconds = 0.002
    statistics: dict[str, ExporterStats] = {}
    ways = await Deliveries.open(
        {"file": exporter},
        TraceContext(session_id="1"),
        clock=SystemClock(),
        statistics=statistics,
    )
    counts, offered = statistics["file"], 0
    for _ in range(60):
        ballast = small_disk / "ballast"
        if drawn.random() < 0.3:
            ballast.unlink(missing_ok=True)
        elif drawn.random() < 0.5:
            with suppress(OSError):
                ballast.write_bytes(bytes(MEBIBYTE))
        count = drawn.randrange(1, 60)
        ways.offer(many_spans(count))
        offered += count
        assert counts.delivered_spans + counts.dropped_spans + counts.pending_spans == offered
        await asyncio.sleep(drawn.random() * 0.01)
    (small_disk / "ballast").unlink(missing_ok=True)
    await ways.close()
    assert counts.pending_spans == 0
    assert 0 < counts.dropped_spans < offered
    assert counts.dropped + counts.delivered == 2 * offered
    assert len(spans_in(ways.outputs[0], file_format)) == counts.delivered_spans
