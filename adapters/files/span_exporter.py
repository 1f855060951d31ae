"""The exporter `file`: a file per run of a session."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from attrs import define, field

from ...domain.model.span_text import json_lines, task_names, trace_events
from ...domain.model.spans import SpanBatch
from ...domain.model.tags import NO_TAGS, Tags
from ...ports.span_exporter import TraceContext
from .file_format import FileFormat, midnight_ns
from .trace_file import TraceFile

NAMED_TASKS_KEPT = 65_536
"""Tasks remembered as named, per file; beyond, names are written again, which does no harm."""


@define
class JsonLinesDocument:
    """A file of JSON lines."""

    _file: TraceFile
    _node: str
    _tags: Tags

    def append(self, batch: SpanBatch) -> None:
        """Add a line per span; raise `ExportFailed`."""
        lines = json_lines(batch, node=self._node, tags=self._tags)
        if lines:
            self._file.append(("\n".join(lines) + "\n").encode("ascii"))


@define
class TraceEventsDocument:
    """A file in Chrome's trace event format, as an array: what Perfetto opens even if it is cut.

    Times count from `origin_ns`.
    """

    _file: TraceFile
    _origin_ns: int
    _tags: Tags
    _named: set[tuple[int, int]] = field(factory=set)
    _begun: bool = False

    def append(self, batch: SpanBatch) -> None:
        """Add an event per span, and names for new tasks; raise `ExportFailed`."""
        if not len(batch):
            return
        if len(self._named) > NAMED_TASKS_KEPT:
            self._named.clear()
        names = task_names(batch, self._named)
        spans = trace_events(batch, origin_ns=self._origin_ns, tags=self._tags)
        events = [*names.values(), *spans]
        separator = ",\n" if self._begun else ""
        self._file.append((separator + ",\n".join(events)).encode("ascii"))
        self._named |= names.keys()
        self._begun = True


@define
class FileSink:
    """One run of a session and its file, open until `close`; `output` is its path."""

    _file: TraceFile
    _append: Callable[[SpanBatch], None]
    output: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Say where the file is."""
        self.output = str(self._file.path)

    async def write(self, batch: SpanBatch) -> None:
        """Add the batch in a worker thread: all of it, or none and raise `ExportFailed`."""
        await asyncio.to_thread(self._append, batch)

    def arrived(self, batch: SpanBatch) -> tuple[int, int]:  # noqa: ARG002 - whole batches are written
        """Tell that nothing of a batch is known to have arrived."""
        return 0, 0

    async def close(self, *, ended_ns: int | None = None) -> None:  # noqa: ARG002 - of no use here
        """Bring the file to the disk; again is harmless. Raise `ExportFailed`."""
        await asyncio.to_thread(self._file.close)


@define
class FileSpanExporter:
    """Writes each run of a session to a new file in `directory`, which is made when missing.

    The file is called `session-ID-START`, START being when it was made, in UTC.
    """

    directory: Path
    format: FileFormat = field(kw_only=True)
    node: str = field(default="", kw_only=True)
    tags: Tags = field(default=NO_TAGS, kw_only=True)
    name: str = field(default="file", kw_only=True)
    gather_seconds: float = field(default=0.1, init=False)

    async def open(self, context: TraceContext) -> FileSink:
        """Make the file; raise `ExportFailed`."""
        return await asyncio.to_thread(self._open, context)

    def _open(self, context: TraceContext) -> FileSink:
        now = datetime.now(UTC)
        session = re.sub(r"[^\w.-]", "_", context.session_id)
        stem = self.directory / f"session-{session}-{now:%Y%m%dT%H%M%S.%fZ}"
        if self.format == "jsonl":
            file = TraceFile.create(stem.with_name(f"{stem.name}.jsonl"))
            return FileSink(file, JsonLinesDocument(file, self.node, self.tags).append)
        file = TraceFile.create(stem.with_name(f"{stem.name}.json"), head=b"[\n", tail=b"\n]\n")
        return FileSink(file, TraceEventsDocument(file, midnight_ns(now), self.tags).append)
