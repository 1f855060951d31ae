"""The description of svc's API: that of the node's, and what is different for a cluster."""

import json
from typing import Any, TypeAlias

from ..rest.routing import node_openapi
from .node_errors import NODE_ERRORS_HEADER
from .stream_description import describe_streams

Json: TypeAlias = dict[str, Any]

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_DESCRIPTION = """

Every request goes to all ready nodes at once, and what they answer becomes one answer. A key that \
several nodes have is `node/key` for each of them. A session made here has a part on each node \
that has something to trace; `Group` is the id of all of them, and is taken wherever an id is. \
Nodes that gave no answer are in the header `X-Tracer-Node-Errors`, and in `NodeErrors` of sessions.
"""

_NODE_PARAMETER: Json = {
    "name": "node",
    "in": "query",
    "required": False,
    "description": "Ask only nodes of that name, shell wildcards allowed. May be repeated.",
    "schema": {"type": "array", "items": {"type": "string"}},
    "style": "form",
    "explode": True,
    "example": ["worker-*"],
}

_NODE_ERROR: Json = {
    "type": "object",
    "description": "Why a node has no part in an answer; or how many more there are.",
    "oneOf": [
        {"required": ["node", "status", "title", "detail"]},
        {"required": ["more"]},
    ],
    "properties": {
        "node": {"type": "string", "description": "Its name."},
        "status": {
            "type": "integer",
            "description": "What it answered; 502 if it gave no answer, 503 if it is not ready.",
        },
        "title": {"type": "string", "description": "What is wrong, in short."},
        "detail": {"type": "string", "description": "What is wrong."},
        "more": {"type": "integer", "minimum": 1, "description": "Nodes that are not named."},
    },
    "additionalProperties": False,
    "example": {
        "node": "worker-3",
        "status": 502,
        "title": "No answer",
        "detail": "does not answer within 10 s",
    },
}

_NODE: Json = {
    "type": "object",
    "description": "A node that is known.",
    "required": ["Ready", "Address", "Pod", "Reason"],
    "properties": {
        "Ready": {"type": "boolean", "description": "Whether it is asked."},
        "Address": {"type": "string", "description": "Where its tracer listens, if it is asked."},
        "Pod": {"type": "string", "description": "The pod its tracer runs in, if that is known."},
        "Reason": {"type": "string", "description": "Why it is not ready; empty if it is."},
    },
    "example": {
        "Ready": True,
        "Address": "10.42.0.7:8080",
        "Pod": "container-tracer-node-x7k2p",
        "Reason": "",
    },
}


def svc_openapi() -> bytes:
    """Write the description that svc serves."""
    return json.dumps(svc_description()).encode()


def svc_description() -> Json:
    """Turn the description of the node's API into that of svc's."""
    api: Json = json.loads(node_openapi())
    api["info"] |= {
        "title": "container-tracer, svc",
        "summary": "Kernel tracing per container, on all machines of a cluster.",
        "description": api["info"]["description"] + _DESCRIPTION.rstrip(),
    }
    parts = api["components"]
    parts["headers"][NODE_ERRORS_HEADER] = _node_errors_header()
    parts["schemas"] |= {"NodeError": _NODE_ERROR, "Nodes": _nodes(), "Node": _NODE}
    parts["responses"] |= {"NodesFailed": _nodes_failed(), "UnknownNode": _unknown_node()}
    _describe_answers(parts["schemas"])
    describe_streams(parts["schemas"])
    api["paths"]["/v1/nodes"] = {"get": _list_nodes(api["paths"]["/v1/trace-hooks"]["get"])}
    for path, operations in api["paths"].items():
        if path.startswith("/v1/"):
            for operation in operations.values():
                _ask_nodes(operation)
    for response in parts["responses"].values():
        _may_tell_of_nodes(response)
    _describe_server(api["paths"], parts)
    return api


def _ask_nodes(operation: Json) -> None:
    operation["parameters"] = [*operation.get("parameters", []), _NODE_PARAMETER]
    responses: Json = operation["responses"]
    responses.setdefault("404", {"$ref": "#/components/responses/UnknownNode"})
    responses["502"] = {"$ref": "#/components/responses/NodesFailed"}
    for response in responses.values():
        _may_tell_of_nodes(response)


def _may_tell_of_nodes(response: Json) -> None:
    if "headers" in response:
        reference = {"$ref": f"#/components/headers/{NODE_ERRORS_HEADER}"}
        response["headers"][NODE_ERRORS_HEADER] = reference


def _describe_answers(schemas: Json) -> None:
    told = {"type": "array", "items": {"$ref": "#/components/schemas/NodeError"}}
    schemas["Session"]["properties"]["NodeErrors"] = {
        **told,
        "description": "Nodes that gave no answer and may have parts of it, if any.",
    }
    schemas["Hook"]["properties"]["Available"]["description"] = "Whether any node can do it."
    schemas["Hook"]["properties"]["UnavailableOn"] = {
        "type": "object",
        "description": "The nodes that cannot do it, and why.",
        "additionalProperties": {"type": "string"},
    }
    del schemas["SessionRequest"]["properties"]["group"]


def _describe_server(paths: Json, parts: Json) -> None:
    parts["schemas"]["Health"] = {
        "type": "object",
        "description": "The state of the server.",
        "required": ["status"],
        "properties": {
            "status": {"type": "string", "description": "How it is.", "enum": ["ok", "ready"]},
            "nodes": {"type": "integer", "minimum": 0, "description": "Nodes that are asked."},
            "unready": {"type": "integer", "minimum": 0, "description": "Nodes not ready."},
            "stale": {
                "type": "string",
                "description": "Why the nodes may be others by now; empty if they are not.",
            },
        },
        "example": {"status": "ok"},
    }
    readyz: Json = paths["/readyz"]["get"]
    readyz["summary"] = "Tell whether the nodes are known"
    (media,) = readyz["responses"]["200"]["content"].values()
    media["example"] = {"status": "ready", "nodes": 12, "unready": 1, "stale": ""}
    unavailable: Json = parts["responses"]["Unavailable"]
    unavailable["description"] = "No node can be asked, or the answer took too long."
    unavailable["content"]["application/problem+json"]["example"] = {
        "type": "urn:container-tracer:problem:no-nodes",
        "title": "No nodes",
        "status": 503,
        "detail": "There is no node to ask: no tracer-node is known.",
    }


def _list_nodes(like: Json) -> Json:
    """Describe a listing of nodes; what can go wrong is what can for another listing."""
    operation: Json = json.loads(json.dumps(like))
    operation |= {
        "operationId": "listNodes",
        "tags": ["server"],
        "summary": "List the nodes that are known",
    }
    operation.pop("description", None)
    operation["responses"]["200"] |= {
        "description": "Nodes by name; `{}` if there are none.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Nodes"}}},
    }
    return operation


def _nodes() -> Json:
    return {
        "type": "object",
        "description": "Nodes by name.",
        "additionalProperties": {"$ref": "#/components/schemas/Node"},
        "example": {"worker-1": _NODE["example"]},
    }


def _node_errors_header() -> Json:
    return {
        "description": "A JSON list of what went wrong at nodes; not there if nothing did.",
        "required": False,
        "schema": {"type": "string"},
        "example": json.dumps([_NODE_ERROR["example"]]),
    }


def _problem(description: str, example: Json) -> Json:
    return {
        "description": description,
        "headers": {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}},
        "content": {"application/problem+json": {"schema": _PROBLEM, "example": example}},
    }


def _nodes_failed() -> Json:
    return _problem(
        "No node did what was asked, because of itself or of the way there.",
        {
            "type": "urn:container-tracer:problem:nodes-failed",
            "title": "Nodes failed",
            "status": 502,
            "detail": "No node did what was asked. worker-3: does not answer within 10 s.",
        },
    )


def _unknown_node() -> Json:
    return _problem(
        "No node has such a name.",
        {
            "type": "urn:container-tracer:problem:unknown-node",
            "title": "Unknown node",
            "status": 404,
            "detail": "There is no such node: 'gpu-*'; there are: worker-1, worker-2.",
        },
    )
