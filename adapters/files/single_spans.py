"""Single spans in files, of which there are never more than a few."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from errno import EFBIG
from pathlib import Path
from typing import Protocol

from attrs import define, field

from ...domain.model.single_span import SingleSpan, SpanOrigin
from ...domain.model.single_span_text import (
    process_name_event,
    single_span_events,
    single_span_line,
)
from ...domain.model.tags import NO_TAGS, Tags
from ...ports.errors import ExportDelayed, ExportFailed, ExportRejected
from .file_format import FileFormat, midnight_ns
from .trace_file import TraceFile

MAX_FILE_BYTES = 16 << 20
"""A file that has grown so large is followed by another."""

FILES_KEPT = 8
"""So many files of one run are kept: the oldest is removed for a new one."""

PROCESSES_KEPT = 1_024
"""Processes remembered as named, per file; beyond, names are written again, with new numbers."""


class _Document(Protocol):
    """A file in some format."""

    file: TraceFile

    def append(self, spans: Sequence[SingleSpan]) -> None:
        """Add all spans, or none and raise `ExportFailed`."""


@define
class _JsonLines:
    """A line per span."""

    file: TraceFile
    tags: Tags

    def append(self, spans: Sequence[SingleSpan]) -> None:
        lines = "".join(f"{single_span_line(one, self.tags)}\n" for one in spans)
        self.file.append(lines.encode("ascii"))


@define
class _TraceEvents:
    """Chrome's trace event format, as an array: what Perfetto opens even if it is cut."""

    file: TraceFile
    origin_ns: int
    service_name: str
    tags: Tags
    _processes: dict[str, int] = field(factory=dict)
    _numbers: int = 0
    _begun: bool = False

    def append(self, spans: Sequence[SingleSpan]) -> None:
        events: list[str] = []
        for span in spans:
            process = self._process(span.origin, events)
            events += single_span_events(
                span, process=process, origin_ns=self.origin_ns, tags=self.tags
            )
        separator = ",\n" if self._begun else ""
        self.file.append((separator + ",\n".join(events)).encode("ascii"))
        self._begun = True

    def _process(self, origin: SpanOrigin | None, events: list[str]) -> int:
        """Return the number that stands for whose a span is; a new one is named."""
        label = _label(origin) if origin else self.service_name
        if label not in self._processes:
            if len(self._processes) >= PROCESSES_KEPT:
                self._processes.clear()
            self._numbers += 1
            self._processes[label] = self._numbers
            events.append(process_name_event(self._numbers, label))
        return self._processes[label]


@define(kw_only=True, eq=False)
class FileSingleSpanExporter:
    """Writes to files in `directory`, which is made when missing; `service_name` is the tracer's.

    They are called `spans-START`, START being when each was made, in UTC. The first is made for
    the first spans.
    """

    directory: Path
    format: FileFormat
    service_name: str = ""
    tags: Tags = NO_TAGS
    name: str = "file"
    max_file_bytes: int = MAX_FILE_BYTES
    files_kept: int = FILES_KEPT
    _document: _Document | None = None
    _written: deque[Path] = field(factory=deque)

    async def send(self, spans: Sequence[SingleSpan]) -> None:
        """Add the spans in a worker thread: all of them, or none. Raises as the port says."""
        await asyncio.to_thread(self._append, spans)

    def arrived(self) -> int:
        """Tell that nothing is known to have arrived: whole batches are written."""
        return 0

    async def close(self) -> None:
        """Bring the file to the disk; again is harmless. Raise `ExportFailed`."""
        document, self._document = self._document, None
        if document is not None:
            await asyncio.to_thread(document.file.close)

    def _append(self, spans: Sequence[SingleSpan]) -> None:
        document = self._document or self._new_document()
        try:
            document.append(spans)
        except ExportFailed as error:
            self._abandon(document)
            if document is not self._document and _too_large(error):
                raise  # a new file cannot take them either
            self._document = None
            raise ExportDelayed(str(error)) from error
        self._document = document
        if document.file.length >= self.max_file_bytes:
            self._document = None
            _finish(document.file)

    def _new_document(self) -> _Document:
        """Begin a file; raise `ExportDelayed`: somebody may make room, or give rights."""
        now = datetime.now(UTC)
        suffix = "jsonl" if self.format == "jsonl" else "json"
        path = self.directory / f"spans-{now:%Y%m%dT%H%M%S.%fZ}.{suffix}"
        try:
            if self.format == "jsonl":
                made: _Document = _JsonLines(TraceFile.create(path), self.tags)
            else:
                file = TraceFile.create(path, head=b"[\n", tail=b"\n]\n")
                made = _TraceEvents(file, midnight_ns(now), self.service_name, self.tags)
        except ExportFailed as error:
            raise ExportDelayed(str(error)) from error
        self._written.append(path)
        while len(self._written) > self.files_kept:
            _remove(self._written.popleft())
        return made

    def _abandon(self, document: _Document) -> None:
        """Go on with a new file; one without spans does not stay."""
        with suppress(ExportFailed):
            document.file.close()
        if document is not self._document:
            _remove(self._written.pop())


def _label(origin: SpanOrigin) -> str:
    """Name whose spans these are, as far as that is known."""
    named = (origin.attributes.get(key) for key in ("service.name", "k8s.namespace.name"))
    pod = origin.attributes.get("k8s.pod.name")
    service, namespace = named
    where = "/".join(str(one) for one in (namespace, pod) if one)
    return " ".join(str(one) for one in (service, where) if one) or "unknown_service"


def _finish(file: TraceFile) -> None:
    """Bring a file to the disk; raise `ExportRejected` of no span: they are in it, maybe."""
    try:
        file.close()
    except ExportFailed as error:
        raise ExportRejected(str(error)) from error


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _too_large(error: ExportFailed) -> bool:
    return getattr(error.__cause__, "errno", 0) == EFBIG
