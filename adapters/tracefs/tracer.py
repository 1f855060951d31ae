"""The kernel's tracing facility, through tracefs."""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from attrs import define, field, frozen

from ...ports.errors import EventUnavailable, TracingUnavailable
from ...ports.kernel_tracer import SourceSettings, TraceSource
from .errors import event_errors, tracing_errors
from .instance import NOBODY, Instance
from .mount import find_tracefs
from .source import TracefsSource

PREFIX = "container-tracer"
WATCH = "watch-"
"""Before the random part of a watch's name."""
MAX_IDENTITY = 180
"""A folder's name has 255 bytes at most; the rest is for the prefix and a random part."""


@frozen(kw_only=True)
class TracefsSettings:
    """`identity` is the node's name: instances bear it, and only those are ever removed."""

    identity: str
    sysfs: Path = Path("/sys")
    mount: bool = False


@define
class TracefsKernelTracer:
    """Makes sources out of tracefs instances."""

    _settings: TracefsSettings
    _events: frozenset[str] | None = None
    _formats: dict[str, str] = field(factory=dict)

    def event_names(self) -> frozenset[str]:
        """Read `available_events`; refuse if instances could not be made."""
        root = self._root()
        with tracing_errors(f"read the events of this kernel in {root}"):
            text = (root / "available_events").read_text()
        self._events = frozenset(text.split())
        return self._events

    def open_source(
        self, events: frozenset[str], tids: Iterable[int], settings: SourceSettings
    ) -> TraceSource:
        """Set up an instance, not yet recording; what fails half-way is removed."""
        pids = map(str, sorted(tids) or [NOBODY])
        return self._open("", events, settings, lambda one: one.append("set_event_pid", pids))

    def open_watch(self, events: Mapping[str, str], settings: SourceSettings) -> TraceSource:
        """Set up an instance without a list of pids: the kernel then records everybody."""

        def set_filters(instance: Instance) -> None:
            for event, text in events.items():
                if text:
                    with event_errors(f"{event} with the filter {text!r}"):
                        instance.write(f"events/{event.replace(':', '/', 1)}/filter", text)

        return self._open(WATCH, frozenset(events), settings, set_filters)

    def _open(
        self,
        kind: str,
        events: frozenset[str],
        settings: SourceSettings,
        limit: Callable[[Instance], None],
    ) -> TraceSource:
        """Set up an instance; `limit` says what of the events it is to record."""
        root, known = self._root(), self._events or self.event_names()
        if missing := events - known:
            names = ", ".join(sorted(missing)[:5])
            raise EventUnavailable(f"This kernel does not have {len(missing)} events: {names}.")
        name = f"{PREFIX}_{_identity(self._settings.identity)}_{kind}{secrets.token_hex(4)}"
        instance = Instance(root / "instances" / name)
        try:
            with tracing_errors(f"make the tracefs instance {instance.path}"):
                instance.create()
                header_page = self._prepare(instance, settings)
                limit(instance)
            formats = {event: self._format(root, event) for event in events}
            self._enable(instance, events, known)
            source = TracefsSource(instance, formats, header_page, _sub_buffer_size(instance))
            with tracing_errors(f"open the pipes of {instance.path}"):
                source.open_pipes()
        except BaseException:
            with suppress(OSError):
                instance.remove()
            raise
        return source

    def remove_leftovers(self) -> tuple[str, ...]:
        """Remove instances of this identity; the kernel refuses for those still in use."""
        mine = re.compile(
            rf"{PREFIX}_{re.escape(_identity(self._settings.identity))}_({WATCH})?[0-9a-f]{{8}}"
        )
        removed = []
        for path in sorted((self._root() / "instances").iterdir()):
            if mine.fullmatch(path.name):
                with suppress(OSError):
                    path.rmdir()
                    removed.append(path.name)
        return tuple(removed)

    def _root(self) -> Path:
        root = find_tracefs(self._settings.sysfs, mount=self._settings.mount)
        instances = root / "instances"
        if os.statvfs(root).f_flag & os.ST_RDONLY:
            raise TracingUnavailable(
                f"tracefs at {root} is mounted read-only: remount it ('mount -o remount,rw"
                f" {root}'), or mount the host's /sys read-write into this container."
            )
        if not os.access(instances, os.W_OK):
            raise TracingUnavailable(
                f"Cannot make instances in {instances}: permission denied; run as root."
            )
        return root

    def _prepare(self, instance: Instance, settings: SourceSettings) -> str:
        instance.write("trace_clock", settings.clock)
        instance.write("buffer_size_kb", str(settings.buffer_kib))
        with suppress(FileNotFoundError, PermissionError):  # kernels before 5.1 have none
            instance.write("buffer_percent", "0")
        instance.write("options/event-fork", "1")
        return instance.read("events/header_page")

    def _enable(self, instance: Instance, events: frozenset[str], known: frozenset[str]) -> None:
        """Switch events on; a whole system at once costs a third of one event after the other."""
        rest = set(events)
        for system in {event.partition(":")[0] for event in events}:
            members = {event for event in known if event.startswith(f"{system}:")}
            if members <= events:
                with event_errors(f"the events of {system}"):
                    instance.write(f"events/{system}/enable", "1")
                rest -= members
        if rest:
            with event_errors(f"the events {', '.join(sorted(rest)[:5])}"):
                instance.append("set_event", sorted(rest))

    def _format(self, root: Path, event: str) -> str:
        if event not in self._formats:
            with event_errors(f"the format of {event}"):
                path = root / "events" / event.replace(":", "/", 1) / "format"
                self._formats[event] = path.read_text()
        return self._formats[event]


def _identity(node: str) -> str:
    """Make a node's name fit into the name of a folder, unmistakably."""
    fitting = re.sub(r"[^A-Za-z0-9.-]", "-", node)[:MAX_IDENTITY]
    if fitting == node:
        return fitting
    return f"{fitting}~{hashlib.sha256(node.encode()).hexdigest()[:8]}"


def _sub_buffer_size(instance: Instance) -> int:
    """Return the size of a sub-buffer in bytes; kernels before 6.8 have that of a page."""
    with suppress(OSError):
        return int(instance.read("buffer_subbuf_size_kb")) * 1024
    return os.sysconf("SC_PAGE_SIZE")
