"""What the lines of a stream have besides, where it is that of many nodes."""

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

_NAMES: Json = {"type": "object", "additionalProperties": {"type": "string"}}
_NODE: Json = {"type": "string", "description": "The node it is about."}

_MORE: dict[str, Json] = {
    "open": {"nodes": {**_NAMES, "description": "The state of the session on each node."}},
    "heartbeat": {
        "nodes": {"type": "integer", "minimum": 0, "description": "Nodes that are streaming."}
    },
    "container": {"node": _NODE},
    "dropped": {"node": _NODE},
    "end": {"broken": {**_NAMES, "description": "The nodes that did not end, and why."}},
}
"""By kind of line, the keys it has in addition, always."""

_NODE_ERROR: Json = {
    "type": "object",
    "required": ["stream", "node", "detail"],
    "properties": {
        "stream": {"const": "node-error"},
        "node": {"type": "string", "description": "The node of which no more comes."},
        "detail": {"type": "string", "description": "Why, though its stream has not ended."},
    },
}


def describe_streams(schemas: Json) -> None:
    """Turn the lines of a node's streams into those of svc's."""
    line: Json = schemas["StreamLine"]
    line["example"]["nodes"] = 3
    kinds: list[Json] = line["oneOf"]
    for kind in kinds:
        more = _MORE[kind["properties"]["stream"]["const"]]
        kind["properties"] |= more
        kind["required"] = [*kind["required"], *more]
        if "statistics" in kind["properties"]:
            # Where no node has ended there is nothing to add up.
            numbers = [{"$ref": "#/components/schemas/Statistics"}, {"maxProperties": 0}]
            kind["properties"]["statistics"] = {"type": "object", "anyOf": numbers}
    kinds.append(_NODE_ERROR)
