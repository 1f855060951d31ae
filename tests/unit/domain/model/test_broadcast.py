"""Replies of nodes become one answer, or the one reason why there is none."""

import json
from typing import Any

import pytest

from container_tracer.domain.model.broadcast import (
    NodeRefusal,
    Replies,
    merged_hooks,
    merged_members,
    merged_nothing,
    merged_sessions,
)
from container_tracer.domain.model.node_reply import NodeReply, failed, read_reply, without_body

LATE = "does not answer within 10 s"


def answers(node: str, body: object, status: int = 200) -> NodeReply:
    return read_reply(
        node, status=status, content_type="application/json", body=json.dumps(body).encode()
    )


def refuses(node: str, status: int, detail: str = "No.") -> NodeReply:
    problem = {"type": f"urn:x:{status}", "title": "T", "status": status, "detail": detail}
    return read_reply(
        node,
        status=status,
        content_type="application/problem+json",
        body=json.dumps(problem).encode(),
    )


def of(*replies: NodeReply, **unready: str) -> Replies:
    return Replies(all=replies, unready=unready)


def pods(*names: str) -> dict[str, Any]:
    return {name: {"Containers": {}} for name in names}


def test_objects_are_put_together() -> None:
    both = of(answers("a", pods("shop")), answers("b", pods("db")), answers("c", {}))
    assert json.loads(merged_members(both)) == pods("shop", "db")
    assert merged_members(of(answers("a", {}))) == "{}"


def test_a_key_of_several_nodes_is_qualified_for_each_of_them() -> None:
    both = of(answers("a", pods("web", "db")), answers("b", pods("web")))
    assert json.loads(merged_members(both)) == pods("a/web", "db", "b/web")


def test_a_key_that_looks_like_a_qualified_one_hides_nothing() -> None:
    three = of(answers("a", pods("web")), answers("b", pods("web")), answers("c", pods("a/web")))
    assert json.loads(merged_members(three)) == pods("a/web", "b/web", "c/a/web")


def test_values_are_passed_on_as_they_were_written() -> None:
    text = b'{"a": {"n": 1.50, "big": 18446744073709551616, "t": "\\ud83d\\ude00 \xc3\xa9"}}'
    reply = read_reply("n", status=200, content_type="application/json", body=text)
    assert merged_members(of(reply)).encode() == text


def test_sessions_name_the_nodes_that_failed() -> None:
    session = {"Id": "7", "Node": "a"}
    told = json.loads(merged_sessions(of(answers("a", {"7": session}), failed("b", LATE))))
    assert told["7"].pop("NodeErrors") == [
        {"node": "b", "status": 502, "title": "No answer", "detail": LATE}
    ]
    assert told == {"7": session}
    assert json.loads(merged_sessions(of(answers("a", {"7": session})))) == {"7": session}
    odd = of(answers("a", {"7": {}, "8": 1}), c="starts")
    assert json.loads(merged_sessions(odd))["7"]["NodeErrors"][0]["status"] == 503
    assert json.loads(merged_sessions(odd))["8"] == 1


def test_a_hook_can_be_had_if_any_node_can_do_it() -> None:
    def hooks(**reasons: str) -> dict[str, Any]:
        tracers = {
            name: {"Name": name, "Available": not reason, "Reason": reason}
            for name, reason in reasons.items()
        }
        return {"ftrace": {"Tracers": tracers}}

    old, new = hooks(files="no event", exec="no event"), hooks(files="", exec="too old", block="")
    merged = json.loads(merged_hooks(of(answers("a", old), answers("b", new))))
    tracers = merged["ftrace"]["Tracers"]
    assert tracers["files"] == {
        "Name": "files",
        "Available": True,
        "Reason": "",
        "UnavailableOn": {"a": "no event"},
    }
    assert (tracers["exec"]["Available"], tracers["exec"]["Reason"]) == (False, "no event")
    assert tracers["exec"]["UnavailableOn"] == {"a": "no event", "b": "too old"}
    assert tracers["block"]["UnavailableOn"] == {}


@pytest.mark.parametrize("odd", [1, {}, {"Tracers": []}, {"Tracers": {"h": 1}}])
def test_hooks_that_are_none_are_left_out(odd: object) -> None:
    assert merged_hooks(of(answers("a", {"g": odd}))) == "{}"


def test_of_what_was_done_nothing_is_told() -> None:
    assert merged_nothing(of(answers("a", {"what": "ever"}))) == "{}"


def test_what_one_node_does_not_have_is_no_error() -> None:
    replies = of(answers("a", {}), refuses("b", 404), b="starts")
    assert [(one.node, one.status) for one in replies.errors] == [("b", 503)]


def test_a_failure_is_an_error_with_the_status_it_had() -> None:
    replies = of(answers("a", {}), refuses("b", 429), refuses("c", 501), failed("d", LATE))
    assert [(one.node, one.status) for one in replies.errors] == [
        ("b", 429),
        ("c", 501),
        ("d", 502),
    ]
    late = without_body(answers("e", {"x": 1}))
    assert (late.error.status, late.members) == (502, {})


@pytest.mark.parametrize(
    ("replies", "node"),
    [
        # The client's own fault is that everywhere, whatever else went wrong.
        ([failed("a", LATE), refuses("b", 404), refuses("c", 422)], "c"),
        ([refuses("a", 409), refuses("b", 403)], "b"),
        # A refusal of those that answered.
        ([refuses("a", 409), refuses("b", 409), failed("c", LATE)], "a"),
        ([refuses("a", 404), refuses("b", 429)], "b"),
        # Nobody has it; but where one cannot be asked, it may be there.
        ([refuses("a", 404), refuses("b", 404)], "a"),
        ([refuses("a", 404), failed("b", LATE)], None),
        ([failed("a", LATE), refuses("b", 503)], None),
    ],
)
def test_where_nobody_did_what_was_asked_one_reason_is_passed_on(
    replies: list[NodeReply], node: str | None
) -> None:
    refusal = of(*replies).refusal
    assert (refusal.node if refusal else None) == node


def test_a_refusal_is_passed_on_as_it_is() -> None:
    refusal = NodeRefusal.of(refuses("a", 422, "Write it so."))
    assert (str(refusal), refusal.status, refusal.title) == ("Write it so.", 422, "T")
    assert refusal.type_uri == "urn:x:422"


@pytest.mark.parametrize(
    ("status", "content_type"),
    [
        (302, "application/json"),
        (404, "text/html"),
        (404, "application/json"),
        (100, ""),
        (999, ""),
    ],
)
def test_an_answer_that_no_tracer_gives_is_a_failure(status: int, content_type: str) -> None:
    reply = read_reply("a", status=status, content_type=content_type, body=b"{}")
    assert reply.error.status == 502
    assert of(reply).failed == [reply]


def test_a_problem_of_a_node_may_be_odd() -> None:
    reply = read_reply(
        "a", status=503, content_type="application/problem+json", body=b'{"title": 1, "detail": []}'
    )
    assert (reply.title, reply.detail, reply.type_uri) == (
        "Error",
        "answers with status 503",
        "about:blank",
    )
