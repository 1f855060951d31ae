"""Which processes are a tracer-node."""

from collections.abc import Iterable, Mapping

_PROGRAM, _MODULE = "tracer-node", "container_tracer.entrypoints.node"
_PRIVATE = "container_tracer.entrypoints.cli.attached_node"


def node_pids(commands: Mapping[int, Iterable[str]]) -> tuple[int, ...]:
    """Pick the pids whose command lines run the node, as a script or as a module."""
    return tuple(sorted(pid for pid, words in commands.items() if any(map(_is_node, words))))


def private_node_pids(commands: Mapping[int, Iterable[str]]) -> tuple[int, ...]:
    """Pick the pids of nodes that serve one command of the client alone."""
    return tuple(sorted(pid for pid, words in commands.items() if _PRIVATE in words))


def _is_node(word: str) -> bool:
    return word.rpartition("/")[2] == _PROGRAM or word == _MODULE
