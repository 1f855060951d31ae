"""The audit log: one line for every change of state that somebody asked for, refused or not."""

from asyncio import Task
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from attrs import define, field

from ...domain.model.session_request import SessionRequest
from .errors import problem_of

CHANGES = frozenset({"POST", "PUT", "DELETE", "PATCH"})
"""Requests with these methods are logged."""

MAX_ARGUMENTS_CHARACTERS = 500
"""So much is logged of what somebody wants a hook to do, before it is known to make sense."""


@define(kw_only=True)
class AuditRecord:
    """What is known of a request that changes something; written once, when its outcome is known.

    `who` is the name of the one who asked: empty if nobody is asked who he is, or if he is
    unknown. `details` name what he asked for, never what he showed to be let in.
    """

    request_id: str = ""
    method: str = ""
    path: str = ""
    client: str = ""
    who: str = ""
    details: dict[str, Any] = field(factory=dict)
    _held: bool = False
    _written: bool = False

    def begin(self, request_id: str, method: str, *, path: str, client: str) -> None:
        """Take what is known before it is known who asks."""
        self.request_id, self.method = request_id, method
        self.path, self.client = path, client

    def note(self, **details: object) -> None:
        """Add what a request is about."""
        self.details |= details

    def hold(self, change: Task[Any]) -> None:
        """Write it when a change is done, because it goes on although its client has gone."""
        self._held = True
        change.add_done_callback(self._done)

    def _done(self, change: Task[Any]) -> None:
        error = None if change.cancelled() else change.exception()
        self._held = False
        self.write(problem_of(error).status if error else HTTPStatus.OK)

    def write(self, status: int) -> None:
        """Write it, unless that was done, or its change still goes on."""
        if self._held or self._written or self.method not in CHANGES:
            return
        self._written = True
        structlog.get_logger().info(
            "audit",
            request_id=self.request_id,
            who=self.who,
            method=self.method,
            path=self.path,
            client=self.client,
            status=int(status),
            **self.details,
        )


def described(request: SessionRequest) -> Mapping[str, object]:
    """Name what a request for a session is about, for the audit log."""
    group = {"group": request.group} if request.group else {}
    return {
        "hook": request.hook,
        "arguments": request.arguments[:MAX_ARGUMENTS_CHARACTERS],
        "selector": str(request.selector),
        "run": request.run,
        **group,
    }
