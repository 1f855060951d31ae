"""Single spans in files: whole documents at any time, never more of them than may be."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from container_tracer.adapters.files.file_format import FileFormat
from container_tracer.adapters.files.single_spans import FileSingleSpanExporter
from container_tracer.domain.model.single_span import SpanOrigin
from container_tracer.ports.errors import ExportDelayed, ExportFailed
from tests.single_spans.examples import FULL, GUEST, ROOT

POD = SpanOrigin(
    attributes={"service.name": "kata", "k8s.namespace.name": "prod", "k8s.pod.name": "shop"}
)


def files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


def events(directory: Path) -> list[dict[str, Any]]:
    """Read the only file, as viewers do; fail if it is no whole document."""
    (path,) = files(directory)
    found: list[dict[str, Any]] = json.loads(path.read_text(), parse_float=Decimal)
    return found


@pytest.mark.parametrize(("file_format", "suffix"), [("jsonl", "jsonl"), ("perfetto", "json")])
async def test_there_is_no_file_before_there_are_spans_and_only_those_allowed_read_it(
    tmp_path: Path, file_format: FileFormat, suffix: str
) -> None:
    exporter = FileSingleSpanExporter(directory=tmp_path / "a/b", format=file_format)
    assert not files(tmp_path)
    await exporter.send([ROOT])
    await exporter.send([FULL])
    (path,) = files(tmp_path / "a/b")
    await exporter.close()
    assert path.name.startswith("spans-2")
    assert path.suffix == f".{suffix}"
    assert path.stat().st_mode & 0o777 == 0o640


async def test_a_span_is_a_pair_of_events_with_its_own_within(tmp_path: Path) -> None:
    exporter = FileSingleSpanExporter(
        directory=tmp_path, format="perfetto", service_name="tracer", name="file"
    )
    await exporter.send([FULL])
    name, begin, first, second, end = events(tmp_path)
    assert name == {"ph": "M", "name": "process_name", "pid": 1, "args": {"name": "tracer"}}
    shared = {"cat": "client", "id": f"0x{FULL.span_id.hex()}", "pid": 1, "tid": 1}
    for phase, event in zip("bnne", (begin, first, second, end), strict=True):
        assert shared | {"ph": phase} == {key: event[key] for key in (*shared, "ph")}
    length = Decimal(FULL.ended_ns - FULL.started_ns) / 1_000
    assert end["ts"] - begin["ts"] == length
    assert first["ts"] - begin["ts"] == Decimal("1.001")
    assert begin["args"]["start_ns"] == FULL.started_ns
    assert begin["args"]["attributes"]["a.text"] == "\\xff\n\\U0001f600"
    assert begin["args"]["error"] == "refuses connections"
    assert (first["name"], second["args"]["dropped_attributes"]) == ("retry", 3)
    await exporter.close()


async def test_each_origin_is_a_process_that_is_named_once(tmp_path: Path) -> None:
    exporter = FileSingleSpanExporter(directory=tmp_path, format="perfetto", service_name="svc")
    for origin in (None, POD, evolve(POD), GUEST, None):
        await exporter.send([evolve(ROOT, origin=origin)])
    found = events(tmp_path)
    names = {one["pid"]: one["args"]["name"] for one in found if one["ph"] == "M"}
    assert names == {1: "svc", 2: "kata prod/shop", 3: "kata-agent shop"}
    assert [one["pid"] for one in found if one["ph"] == "b"] == [1, 2, 2, 3, 1]
    await exporter.close()


@pytest.mark.parametrize("file_format", ["jsonl", "perfetto"])
async def test_tags_are_with_the_tracers_own_spans_only(
    tmp_path: Path, file_format: FileFormat
) -> None:
    exporter = FileSingleSpanExporter(directory=tmp_path, format=file_format, tags={"team": "a"})
    await exporter.send([ROOT, evolve(ROOT, origin=GUEST)])
    await exporter.close()
    (path,) = files(tmp_path)
    assert path.read_text().count('"tags":{"team":"a"}') == 1


@pytest.mark.parametrize("file_format", ["jsonl", "perfetto"])
async def test_a_file_that_is_full_is_followed_by_another_and_the_oldest_is_removed(
    tmp_path: Path, file_format: FileFormat
) -> None:
    (tmp_path / "spans-20200101T000000.000000Z.jsonl").write_text("of another run")
    exporter = FileSingleSpanExporter(
        directory=tmp_path, format=file_format, max_file_bytes=500, files_kept=3
    )
    for _ in range(20):
        await exporter.send([ROOT])
    await exporter.close()
    other, *own = files(tmp_path)
    assert other.read_text() == "of another run"
    assert len(own) == 3
    assert all(path.stat().st_size < 1_500 for path in own)


async def test_what_cannot_be_written_now_is_to_be_sent_again_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("no directory")
    exporter = FileSingleSpanExporter(directory=blocked / "traces", format="jsonl")
    with pytest.raises(ExportDelayed, match=r"cannot be made: .*; choose a directory"):
        await exporter.send([ROOT])
    blocked.unlink()
    await exporter.send([ROOT])
    await exporter.close()
    assert len(files(blocked / "traces")) == 1


async def test_after_an_append_that_failed_there_is_a_new_file_and_the_old_one_is_whole(
    tmp_path: Path, limit_file_size: Callable[[int], None]
) -> None:
    exporter = FileSingleSpanExporter(directory=tmp_path, format="perfetto")
    await exporter.send([ROOT])
    (first,) = files(tmp_path)
    limit_file_size(first.stat().st_size + 10)
    with pytest.raises(ExportDelayed, match="cannot take more"):
        await exporter.send([ROOT])
    await exporter.send([ROOT])
    await exporter.close()
    counts = [
        sum(one["ph"] == "b" for one in json.loads(path.read_text())) for path in files(tmp_path)
    ]
    assert counts == [1, 1]


async def test_what_no_file_can_take_is_refused(
    tmp_path: Path, limit_file_size: Callable[[int], None]
) -> None:
    exporter = FileSingleSpanExporter(directory=tmp_path, format="jsonl")
    limit_file_size(1_000)
    with pytest.raises(ExportFailed, match="file too large") as refused:
        await exporter.send([ROOT] * 9)
    assert not isinstance(refused.value, ExportDelayed)
    assert not files(tmp_path)


async def test_no_file_stays_open(tmp_path: Path) -> None:
    exporter = FileSingleSpanExporter(directory=tmp_path, format="jsonl", max_file_bytes=600)
    for _ in range(5):
        await exporter.send([ROOT])
    assert open_files(tmp_path)
    await exporter.close()
    assert not open_files(tmp_path)


def open_files(directory: Path) -> list[Path]:
    opened = [one.resolve() for one in Path("/proc/self/fd").iterdir()]
    return [one for one in opened if directory in one.parents]
