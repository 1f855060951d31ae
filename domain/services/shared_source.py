"""A source, its loops, and the sessions that share it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from attrs import define, field

from ...ports.errors import TracingUnavailable
from ..model.pod import Container, Pod
from ..model.selector import ContainerSelector
from ..model.share import SessionShare
from ..model.spans import SpanBatch
from ..model.stats import SourceStats
from .background import apart
from .following import TaskFollower
from .pipeline import DrainReport, TracePipeline
from .runner import SourceRunner

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class Subscription:
    """One run of a session, as its source sees it.

    `deliver` takes its spans; `end` is called with the reason when it should stop by itself;
    `emptied` when none of its tasks lives, again and again. All are called from the event loop.
    `failure` says what went wrong with the source.
    """

    share: SessionShare
    containers: tuple[Container, ...]
    deliver: Callable[[SpanBatch], None]
    end: Callable[[str], None]
    emptied: Callable[[], None] = lambda: None
    selector: ContainerSelector = field(factory=ContainerSelector)
    joined: SourceStats = field(factory=SourceStats)
    failure: str = ""

    @contextmanager
    def noting(self, doing: str) -> Iterator[None]:
        """Log and keep what fails in the block, so that what comes after it is done as well."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the kernel must be left clean in any case
            self.failure = self.failure or f"Cannot {doing}: {error}"
            session_id = self.share.session_id
            _log.error("source.failed", doing=doing, session_id=session_id, exc_info=error)


@define(kw_only=True, eq=False)
class SharedSource:
    """A source, its loops, and the sessions that have joined it.

    `recorded` are the tids it was opened with, until its first session has joined. `failure`
    says why a loop ended: then nothing is read any more.
    """

    events: frozenset[str]
    runner: SourceRunner
    follower: TaskFollower
    recorded: set[int] = field(factory=set)
    subscriptions: dict[str, Subscription] = field(factory=dict)
    tasks: list[asyncio.Task[None]] = field(factory=list)
    failure: str = ""

    def __attrs_post_init__(self) -> None:
        """Be told what the loops bring."""
        self.runner.deliver, self.follower.checked = self.deliver, self.tell_emptied
        self.follower.could_bring = self.could_bring

    @property
    def pipeline(self) -> TracePipeline:
        """The way its events go."""
        return self.runner.pipeline

    @property
    def name(self) -> str:
        """How logs and statistics call it."""
        return self.pipeline.source.name

    def run(self) -> None:
        """Begin to drain and to look after tasks."""
        for verb, loop in (("drain", self.runner.run()), ("follow", self.follower.run())):
            task = apart(loop, name=f"{verb} {self.name}")
            task.add_done_callback(self._died)
            self.tasks.append(task)

    def _died(self, task: asyncio.Task[None]) -> None:
        """End every session when one of the loops fails: nothing would be read any more."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        _log.error("source.failed", task=task.get_name(), error=str(error), exc_info=error)
        self.failure = f"reading the kernel's events failed: {error}"
        for subscription in list(self.subscriptions.values()):
            subscription.failure = subscription.failure or self.failure
            subscription.end(self.failure)

    def add(self, subscription: Subscription) -> None:
        """Take a session in; its share is set. Raises `TracingUnavailable` for a dead source."""
        if self.failure:
            raise TracingUnavailable(f"The source {self.name} ended: {self.failure}.")
        session_id = subscription.share.session_id
        self.pipeline.shares[session_id] = subscription.share
        self.subscriptions[session_id] = subscription

    def deliver(self, report: DrainReport) -> None:
        """Hand a drain's spans on, and notice sessions that are over."""
        for session_id, batch in report.spans.items():
            if subscription := self.subscriptions.get(session_id):
                subscription.deliver(batch)
        for subscription in list(self.subscriptions.values()):
            if subscription.share.full:
                subscription.end(f"max-events: {subscription.share.max_spans} were reached")
        if report.strangers:
            self.follower.notice(report.strangers)
        if report.losses:
            self.follower.lost()
        if self.empty():
            self.follower.hurry()

    def wanted(self) -> set[int]:
        """Return the numbers of the containers some session wants."""
        return {number for one in self.subscriptions.values() for number in one.share.containers}

    def could_bring(self, container: Container) -> bool:
        """Tell whether a container's pod may bring one that some session wants.

        Of one that nothing but the id is known of, nobody can tell.
        """
        pod = Pod(name=container.pod, namespace=container.namespace, uid=container.pod_uid)
        return not container.name or any(
            one.selector.could_match_pod(pod) for one in self.subscriptions.values()
        )

    def empty(self) -> list[Subscription]:
        """Return the sessions none of whose tasks is known to live."""
        alive = self.pipeline.tasks.alive
        return [
            one
            for one in self.subscriptions.values()
            if one.share.containers and not any(alive(number) for number in one.share.containers)
        ]

    def tell_emptied(self) -> None:
        """Tell the sessions whose tasks are gone, after `/proc` has been read again."""
        for subscription in self.empty():
            subscription.emptied()
