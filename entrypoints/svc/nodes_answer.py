"""Nodes become the JSON of the API."""

from ...domain.model.nodes import Nodes
from ..rest.json_answer import Json


def nodes_answer(nodes: Nodes) -> Json:
    """Turn nodes into `{node: {...}}`, those that are not ready too."""
    ready = {
        node.name: {"Ready": True, "Address": node.authority, "Pod": node.pod, "Reason": ""}
        for node in nodes.ready
    }
    unready = {
        name: {"Ready": False, "Address": "", "Pod": "", "Reason": reason}
        for name, reason in nodes.unready.items()
    }
    return dict(sorted({**unready, **ready}.items()))
