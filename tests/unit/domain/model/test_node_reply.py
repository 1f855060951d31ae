"""What a node answers is kept as it wrote it, and only JSON is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.broadcast import Replies, merged_members
from container_tracer.domain.model.node_reply import NodeReply, Outcome, json_members, read_reply

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
objects = st.dictionaries(st.text(), values, max_size=4)


def reply(body: bytes, *, node: str = "a", status: int = 200) -> NodeReply:
    return read_reply(node, status=status, content_type="application/json", body=body)


@given(objects, st.sampled_from([None, 1]), st.sampled_from(["", " ", "\r\n\t"]))
def test_an_object_taken_apart_is_the_same_object(
    value: dict[str, object], indent: int | None, blank: str
) -> None:
    text = blank + json.dumps(value, indent=indent) + blank
    members = {key: json.loads(member) for key, member in json_members(text).items()}
    assert members == value
    one = reply(text.encode())
    assert (one.outcome, list(one.keys)) == (Outcome.DONE, list(value))
    assert json.loads(f"{{{one.inside}}}") == value


@given(objects, objects)
def test_objects_of_two_nodes_become_one_that_has_everything(
    one: dict[str, object], other: dict[str, object]
) -> None:
    both = Replies(
        all=[reply(json.dumps(one).encode()), reply(json.dumps(other).encode(), node="b")]
    )
    merged = json.loads(merged_members(both))
    assert len(merged) == len(one) + len(other)
    if not one.keys() & other.keys():
        assert merged == {**one, **other}


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"7", b"{", b'{"a": 1', b'{"a": 1}}', b'{"a": NaN}', b"\xff", b"[" * 100_000],
)
def test_what_is_no_json_object_is_a_failure_that_says_so(body: bytes) -> None:
    one = reply(body)
    assert one.outcome is Outcome.FAILED
    assert one.detail.startswith("answers with status 200 and what is no JSON object: ")
    assert len(one.detail) < 200
