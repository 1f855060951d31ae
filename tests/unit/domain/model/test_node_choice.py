"""Nodes are chosen by patterns for their names."""

import pytest

from container_tracer.domain.model.node_choice import UnknownNode, chosen_nodes
from container_tracer.domain.model.nodes import Node, Nodes

NODES = Nodes(
    ready=tuple(Node(name=name, host="10.0.0.1", port=8080) for name in ("gpu-1", "gpu-2", "cpu")),
    unready={"gpu-3": "image is being pulled"},
)


def names(*patterns: str) -> tuple[set[str], set[str]]:
    chosen = chosen_nodes(NODES, patterns)
    return {one.name for one in chosen.ready}, set(chosen.unready)


def test_without_a_pattern_all_are_meant() -> None:
    assert chosen_nodes(NODES, ()) is NODES


def test_any_of_the_patterns_may_match_and_those_that_are_not_ready_too() -> None:
    assert names("gpu-[12]", "cpu") == ({"gpu-1", "gpu-2", "cpu"}, set())
    assert names("*3") == (set(), {"gpu-3"})


@pytest.mark.parametrize("pattern", ["tpu-*", "GPU-1", "", "x" * 1000, "[", "\n"])
def test_a_pattern_that_no_node_matches_is_an_error_that_names_nodes(pattern: str) -> None:
    with pytest.raises(UnknownNode, match=r"there are: cpu, gpu-1, gpu-2, gpu-3\.$") as caught:
        chosen_nodes(NODES, ("cpu", pattern))
    assert len(str(caught.value)) < 500


def test_where_no_node_is_known_that_is_said() -> None:
    with pytest.raises(UnknownNode, match="no node is known"):
        chosen_nodes(Nodes(), ("x",))
