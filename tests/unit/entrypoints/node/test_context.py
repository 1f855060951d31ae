"""The use cases are what the handlers expect them to be."""

import inspect

from container_tracer.domain.services.inventory import PodInventory
from container_tracer.domain.services.sessions import TraceSessions
from container_tracer.entrypoints.node.context import Pods, Sessions


def fits(pods: PodInventory, sessions: TraceSessions) -> tuple[Pods, Sessions]:
    """Let the type checker compare them."""
    return pods, sessions


def test_what_is_awaited_can_be_awaited() -> None:
    for port, use_case in ((Pods, PodInventory), (Sessions, TraceSessions)):
        for name, method in inspect.getmembers(port, inspect.isfunction):
            if not name.startswith("_"):
                real = getattr(use_case, name)
                assert inspect.iscoroutinefunction(real) == inspect.iscoroutinefunction(method)
