"""A real node beside a real containerd: sessions, and all that came of them."""

from collections.abc import Callable, Iterator

import pytest

from tests.containerd.daemon import Containerd
from tests.integration.node.conftest import Node, StartNode, start_node, wait_for

from .sessions import Session

__all__ = ["Node", "start_node", "wait_for"]

Trace = Callable[..., Session]


@pytest.fixture
def node(start_node: StartNode, containerd: Containerd) -> Node:
    """A node that knows the containers of this worker's containerd, and no others."""
    return start_node("--cri-endpoint", containerd.endpoint)


@pytest.fixture
def trace(node: Node) -> Iterator[Trace]:
    """Start sessions: `trace(pod="shop", container="web")`, keys as the API has them."""
    sessions: list[Session] = []

    def start(arguments: str = "", **selection: object) -> Session:
        sessions.append(Session.start(node, arguments, selection))
        return sessions[-1]

    yield start
    for session in sessions:
        session.delete()
