"""Single spans as whoever reads JSON lines decodes them."""

import json
from typing import Any

from container_tracer.domain.model.quoting import unicode_text
from container_tracer.domain.model.single_span import AttributeMap, SingleSpan

from .said import OWN, Exact, Said, pairs, plain, said


def said_in_json(span: SingleSpan) -> Said:
    """Return what is left of it in JSON."""
    whole = said(span)
    return whole | {
        "attributes": _as_json(span.attributes),
        "events": [
            (one.time_ns, unicode_text(one.name), _as_json(one.attributes), one.dropped_attributes)
            for one in span.events
        ],
        "links": [
            (*link[:4], _as_json(one.attributes), link[5])
            for one, link in zip(span.links, whole["links"], strict=True)
        ],
        "resource": _as_json((span.origin or OWN).attributes),
    }


def _as_json(attributes: AttributeMap) -> list[tuple[str, Exact]]:
    shown = {unicode_text(name): plain(value) for name, value in attributes.items()}
    return pairs({name: _read(value) for name, value in shown.items()})


def read_line(text: str) -> Said:
    """Read a line, and nothing that is not strictly JSON."""
    assert text.isascii()
    line = json.loads(text, parse_constant=_no_constant)
    failed = "error" in line
    assert line["time"].endswith("Z")
    return {
        "name": line["name"],
        "kind": line["kind"],
        "trace_id": bytes.fromhex(line["trace_id"]),
        "span_id": bytes.fromhex(line["span_id"]),
        "parent_span_id": bytes.fromhex(line.get("parent_span_id", "")),
        "trace_state": line.get("trace_state", ""),
        "times": (line["start_ns"], line["start_ns"] + line["duration_ns"]),
        "attributes": _json_pairs(line["attributes"]),
        "events": [
            (one["time_ns"], one["name"], _json_pairs(one.get("attributes", {})), _left_out(one))
            for one in line.get("events", ())
        ],
        "links": [
            (
                bytes.fromhex(one["trace_id"]),
                bytes.fromhex(one["span_id"]),
                one["sampled"],
                one.get("trace_state", ""),
                _json_pairs(one.get("attributes", {})),
                _left_out(one),
            )
            for one in line.get("links", ())
        ],
        "status": ("error", line["error"])
        if failed
        else (line.get("status", "unset"), line.get("status_message", "")),
        "resource": _json_pairs(line["resource"]) if "resource" in line else pairs(OWN.attributes),
        "scope": line.get("scope", "" if "resource" in line else OWN.scope),
        "dropped": tuple(
            line.get(f"dropped_{what}", 0) for what in ("attributes", "events", "links")
        ),
    }


def _left_out(item: dict[str, Any]) -> int:
    return int(item.get("dropped_attributes", 0))


def _json_pairs(attributes: dict[str, Any]) -> list[tuple[str, Exact]]:
    return pairs({name: _read(value) for name, value in attributes.items()})


def _read(value: Any) -> Any:
    return tuple(map(_read, value)) if isinstance(value, list) else value


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
