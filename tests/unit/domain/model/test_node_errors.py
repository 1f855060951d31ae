"""What went wrong at nodes is told in what a header can hold."""

import json

from container_tracer.domain.model.node_errors import (
    MAX_BYTES,
    NodeError,
    node_errors_json,
    sentence,
)


def error(name: str, detail: str = "refuses connections.") -> NodeError:
    return NodeError(node=name, status=502, title="No answer", detail=detail)


def test_errors_are_a_json_list_of_ascii() -> None:
    text = node_errors_json([error("a", "does not answer \u2013 at\r\nall")])
    assert text.isascii()
    assert text.isprintable()
    told = {"status": 502, "title": "No answer", "detail": "does not answer \u2013 at\r\nall"}
    assert json.loads(text) == [{"node": "a", **told}]


def test_errors_that_do_not_fit_are_counted() -> None:
    text = node_errors_json([error(f"worker-{number}", "\u2028" * 5000) for number in range(1000)])
    told = json.loads(text)
    assert len(text) < MAX_BYTES + 100
    assert told[-1] == {"more": 1000 - (len(told) - 1)}
    assert told[0]["node"] == "worker-0"


def test_a_sentence_names_a_few() -> None:
    assert sentence([error("a"), error("b", "is away")]) == "a: refuses connections; b: is away"
    assert sentence([error(str(number)) for number in range(9)]).endswith("; and 4 more")
