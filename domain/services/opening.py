"""How a source is opened, with all that goes on around it, and closed."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import TypeVar

import structlog
from attrs import define, field

from ...ports.clock import Clock
from ...ports.errors import TracingUnavailable
from ...ports.kernel_tracer import KernelTracer, SourceSettings, TraceSource
from ...ports.pod_discovery import PodDiscovery
from ...ports.task_directory import TaskDirectory
from ..model.attachments import Attachment
from ..model.errors import DataError, TracerError
from ..model.pod import Container
from ..model.single_span import AttributeValue
from .attached import WatchedAttachments
from .container_watch import ContainerWatch
from .drain_spans import DrainSpans
from .following import TaskFollower
from .launching import Launchers
from .own_spans import FOR_NOBODY, OwnSpans
from .pipeline import SourceLayout, TracePipeline
from .runner import SourceRunner
from .shared_source import SharedSource

_log = structlog.get_logger()
_T = TypeVar("_T")


@define(kw_only=True, eq=False)
class SourceOpening:
    """Opens and closes sources. Without a `watch`, nobody tells them who enters containers."""

    tracer: KernelTracer
    discovery: PodDiscovery
    directory: TaskDirectory
    clock: Clock
    executor: Executor
    settings: SourceSettings
    watch: ContainerWatch | None = None
    spans: OwnSpans = FOR_NOBODY
    _launchers: Launchers = field(init=False)
    _layouts: dict[frozenset[str], SourceLayout] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Know no launcher yet."""
        self._launchers = Launchers(discovery=self.discovery, directory=self.directory)

    async def open(self, events: frozenset[str], containers: Sequence[Container]) -> SharedSource:
        """Open a source that follows containers and their launchers, not yet recording.

        Raises `TracingUnavailable`, `EventUnavailable` or `DiscoveryFailed`, and then nothing is
        left in the kernel.
        """
        with self.spans.span("source open") as span:
            source = await self._open(events, containers)
            span.attributes |= {**_about(source), "container_tracer.tasks": len(source.recorded)}
        _log.info("source.opened", source=source.name, events=len(events))
        return source

    async def _open(self, events: frozenset[str], containers: Sequence[Container]) -> SharedSource:
        found = await asyncio.gather(
            self._launchers.tasks_for(containers), *map(self.directory.tasks_of, containers)
        )
        tids = {task.tid for tasks in found for task in tasks}
        opened = await _in_worker(self.tracer.open_source, events, tids, self.settings)
        try:
            return await self._share(events, tids, opened)
        except BaseException:
            await _in_worker(opened.close)
            raise

    async def close(self, source: SharedSource) -> None:
        """Remove a source, whose loops are ending, from the kernel; failures are logged."""
        await asyncio.gather(*source.tasks, return_exceptions=True)
        source.pipeline.attached.close()
        with self.spans.span("source close", attributes=_about(source)) as span:
            try:
                async with source.runner.lock:
                    await _in_worker(source.pipeline.source.close)
            except TracerError as error:
                span.fail(error)
                _log.error("source.not_removed", source=source.name, error=str(error))
            else:
                _log.info("source.closed", source=source.name)

    async def _share(
        self, events: frozenset[str], tids: set[int], opened: TraceSource
    ) -> SharedSource:
        try:
            layout = await self._layout(events, opened.header_page, opened.formats)
        except DataError as error:
            raise TracingUnavailable(f"Cannot read this kernel's events: {error}") from error
        pipeline = TracePipeline(source=opened, layout=layout, clock=self.clock)
        drains = DrainSpans(spans=self.spans, source=opened.name)
        runner = SourceRunner(
            pipeline=pipeline, executor=self.executor, deliver=lambda _: None, spans=drains
        )
        follower = TaskFollower.of(runner, self.directory, self._launchers, self.clock)
        if self.watch is not None:
            pipeline.attached = _watched(self.watch, follower)
        return SharedSource(events=events, runner=runner, follower=follower, recorded=tids)

    async def _layout(
        self, events: frozenset[str], header_page: str, formats: Mapping[str, str]
    ) -> SourceLayout:
        """Work out a layout once for each set of events: it takes longer than opening."""
        if events not in self._layouts:
            self._layouts[events] = await _in_worker(SourceLayout.of, header_page, formats)
        return self._layouts[events]


def _about(source: SharedSource) -> Mapping[str, AttributeValue]:
    return {
        "container_tracer.source": source.name,
        "container_tracer.kinds_of_events": len(source.events),
    }


def _watched(watch: ContainerWatch, follower: TaskFollower) -> WatchedAttachments:
    loop = asyncio.get_running_loop()
    queue = watch.queue(lambda one: _tell(loop, follower, one))
    return WatchedAttachments(watch=watch, queue=queue)


def _tell(loop: asyncio.AbstractEventLoop, follower: TaskFollower, one: Attachment) -> None:
    if one.container_id and not loop.is_closed():
        loop.call_soon_threadsafe(follower.attached, one)


async def _in_worker(call: Callable[..., _T], *arguments: object) -> _T:
    return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)
