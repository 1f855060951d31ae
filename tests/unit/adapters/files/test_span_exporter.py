import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from container_tracer.adapters.files import span_exporter
from container_tracer.adapters.files.file_format import FileFormat
from container_tracer.adapters.files.span_exporter import FileSpanExporter
from container_tracer.domain.model.spans import SpanBatch
from container_tracer.fakes.spans import (
    AWKWARD_SPANS,
    FakeSpan,
    awkward_batch,
    many_spans,
    span_batch,
)
from container_tracer.ports.errors import ExportFailed
from container_tracer.ports.span_exporter import TraceContext

SESSION = TraceContext(session_id="4711")


def text_of(path: str) -> str:
    return Path(path).read_text()


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def perfetto_file(directory: Path, *batches: SpanBatch) -> list[dict[str, Any]]:
    """Write batches and read the events back."""
    sink = await FileSpanExporter(directory, format="perfetto").open(SESSION)
    for batch in batches:
        await sink.write(batch)
    await sink.close()
    events: list[dict[str, Any]] = json.loads(text_of(sink.output), parse_float=Decimal)
    return events


@pytest.mark.parametrize(("file_format", "suffix"), [("jsonl", "jsonl"), ("perfetto", "json")])
async def test_a_file_is_named_by_session_and_start(
    tmp_path: Path, file_format: FileFormat, suffix: str
) -> None:
    exporter = FileSpanExporter(tmp_path / "traces", format=file_format, name="file:x")
    sink = await exporter.open(SESSION)
    await sink.close()
    found = re.fullmatch(
        rf"{tmp_path}/traces/session-4711-(\d+T\d+\.\d{{6}}Z)\.{suffix}", sink.output
    )
    assert found
    started = datetime.strptime(found[1], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - started) < timedelta(minutes=1)
    assert exporter.name == "file:x"


async def test_every_run_has_a_file_of_its_own(tmp_path: Path) -> None:
    exporter = FileSpanExporter(tmp_path, format="jsonl")
    outputs = set()
    for _ in range(3):
        sink = await exporter.open(SESSION)
        await sink.close()
        outputs.add(sink.output)
    assert len(outputs) == len(names_in(tmp_path)) == 3


async def test_a_session_id_cannot_lead_out_of_the_directory(tmp_path: Path) -> None:
    exporter = FileSpanExporter(tmp_path / "traces", format="jsonl")
    sink = await exporter.open(TraceContext(session_id="../../etc/x\0"))
    await sink.close()
    assert names_in(tmp_path) == ["traces"]


async def test_a_directory_that_cannot_be_written_is_a_failed_export(tmp_path: Path) -> None:
    (tmp_path / "traces").touch()
    with pytest.raises(ExportFailed, match=r"traces.* cannot be made: .*; choose a directory"):
        await FileSpanExporter(tmp_path / "traces", format="jsonl").open(SESSION)


async def test_events_have_the_keys_the_format_requires(tmp_path: Path) -> None:
    for event in await perfetto_file(tmp_path, awkward_batch(), many_spans(9)):
        assert {"ph", "name", "pid", "tid", "args"} <= event.keys()
        assert event["ph"] in ("X", "M")
        if event["ph"] == "X":
            assert {"ts", "dur", "cat"} <= event.keys()
            assert event["dur"] >= 0
        else:
            assert event["name"] in ("process_name", "thread_name")
            assert event["args"].keys() == {"name"}


async def test_every_thread_is_named_before_its_first_event_and_once(tmp_path: Path) -> None:
    named: list[tuple[int, int]] = []
    for event in await perfetto_file(tmp_path, awkward_batch(), awkward_batch(), many_spans(9)):
        if event["name"] == "thread_name":
            named.append((event["pid"], event["tid"]))
        elif event["ph"] == "X":
            assert (event["pid"], event["tid"]) in named
    assert len(named) == len(set(named))


async def test_times_count_from_midnight_and_end_in_the_order_of_the_batch(tmp_path: Path) -> None:
    now_ns = int(datetime.now(UTC).timestamp()) * 10**9
    batch = many_spans(100)
    shift = now_ns - int(batch.start_ns[0])
    batch = evolve(batch, start_ns=batch.start_ns + shift, end_ns=batch.end_ns + shift)
    events = [one for one in await perfetto_file(tmp_path, batch) if one["ph"] == "X"]
    ends = [one["ts"] + one["dur"] for one in events]
    assert ends == sorted(ends)
    assert {one["args"]["start_ns"] - one["ts"] * 1000 for one in events} == {
        now_ns - now_ns % (86_400 * 10**9)
    }
    assert [one["dur"] * 1000 for one in events] == (batch.end_ns - batch.start_ns).tolist()


async def test_the_trace_is_whole_even_if_nobody_lives_to_close_it(tmp_path: Path) -> None:
    sink = await FileSpanExporter(tmp_path, format="perfetto").open(SESSION)
    assert json.loads(text_of(sink.output)) == []
    for count in (1, 2):
        await sink.write(span_batch(FakeSpan()))
        events = json.loads(text_of(sink.output))
        assert [one["ph"] for one in events].count("X") == count
    await sink.close()


async def test_remembered_names_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_exporter, "NAMED_TASKS_KEPT", 1)
    batch = span_batch(FakeSpan())
    events = await perfetto_file(tmp_path, batch, batch)
    assert [one["ph"] for one in events] == ["M", "M", "X", "M", "M", "X"]


async def test_json_lines_are_lines_of_json(tmp_path: Path) -> None:
    exporter = FileSpanExporter(tmp_path, format="jsonl", node="worker-1", tags={"team": "core"})
    sink = await exporter.open(SESSION)
    await sink.write(awkward_batch())
    await sink.close()
    text = text_of(sink.output)
    assert text.endswith("}\n")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["start_ns"] for line in lines] == [span.start_ns for span in AWKWARD_SPANS]
    assert {line["node"] for line in lines} == {"worker-1"}
    assert all(line["tags"] == {"team": "core"} for line in lines)
