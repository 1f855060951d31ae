"""What many nodes say of a session becomes what one stream says of it."""

from typing import Any

import pytest

from container_tracer.domain.model.merged_events import MAX_NAMED, MergedEvents, summed
from container_tracer.domain.model.stream_lines import Told


def merged(**states: str) -> MergedEvents:
    """Open streams of nodes whose session is in these states."""
    events = MergedEvents(session_id="42")
    for node, state in states.items():
        events.open(node, Told(kind="open", body={"id": f"id-{node}", "state": state}))
    return events


def end(reason: str = "stopped by request", state: str = "stopped", **more: Any) -> Told:
    return Told(kind="end", body={"reason": reason, "state": state, "error": "", **more})


def beat(time: str = "2026-01-01T00:00:01Z", **numbers: int) -> Told:
    return Told(kind="heartbeat", body={"time": time, **numbers})


def test_it_opens_under_the_id_that_was_asked_for_and_says_the_state_of_each_node() -> None:
    assert merged(a="stopped", b="running").opening() == Told(
        kind="open",
        body={"id": "42", "state": "running", "nodes": {"a": "stopped", "b": "running"}},
    )


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        (("created", "created"), "created"),
        (("created", "starting"), "starting"),
        (("stopped", "failed"), "failed"),
        (("stopped", "stopped"), "stopped"),
        (("dreaming", ""), ""),
    ],
)
def test_the_state_of_the_whole_is_that_of_the_liveliest(
    states: tuple[str, str], whole: str
) -> None:
    assert merged(a=states[0], b=states[1]).opening().body["state"] == whole


def test_the_latest_heartbeats_of_all_nodes_are_summed_up() -> None:
    events = merged(a="running", b="running")
    assert events.heartbeat() is None
    assert events.take("a", beat(spans=1, lost=1, dropped=1, containers=9)) is None
    assert events.take("a", beat(spans=10, lost=2, dropped=3, containers=4)) is None
    assert events.take("b", beat("2026-01-01T00:00:02Z", spans=5, lost=1, containers=2)) is None
    assert events.heartbeat() == Told(
        kind="heartbeat",
        body={
            "time": "2026-01-01T00:00:02Z",
            "spans": 15,
            "lost": 3,
            "dropped": 3,
            "containers": 6,
            "nodes": 2,
        },
    )


def test_a_node_that_has_ended_or_broken_off_still_counts_for_what_was() -> None:
    events = merged(a="running", b="running", c="running")
    for node in "abc":
        events.take(node, beat(spans=5, containers=1))
    events.take("a", end(statistics={"Spans": 7}))
    events.break_off("b", "It is gone.")
    told = events.heartbeat()
    assert told is not None
    assert {"spans": 17, "containers": 1, "nodes": 1}.items() <= told.body.items()


def test_numbers_that_are_none_count_as_nothing() -> None:
    events = merged(a="running")
    events.take("a", Told(kind="heartbeat", body={"time": "t", "spans": "many", "lost": None}))
    told = events.heartbeat()
    assert told is not None
    assert (told.body["spans"], told.body["lost"]) == (0, 0)


def test_gaps_and_lines_of_a_kind_yet_unknown_say_of_which_node_they_are() -> None:
    events = merged(a="running")
    for kind in ("dropped", "weather"):
        told = Told(kind=kind, body={"spans": 3})
        assert events.take("a", told) == Told(kind=kind, body={"node": "a", "spans": 3})
    assert events.take("a", Told(kind="open", body={"id": "1"})) is None


def test_news_of_a_container_change_what_the_next_heartbeat_counts() -> None:
    events = merged(a="running", b="running")
    for node in "ab":
        events.take(node, beat(containers=3))
    news = Told(kind="container", body={"change": "joined", "pod": "web", "containers": 4})
    assert events.take("b", news) == Told(
        kind="container", body={"node": "b", "change": "joined", "pod": "web", "containers": 4}
    )
    told = events.heartbeat()
    assert told is not None
    assert told.body["containers"] == 7


def test_a_node_that_breaks_off_is_told_at_once_and_named_in_the_end() -> None:
    events = merged(a="running", b="running")
    assert events.break_off("b", "Node b is gone.") == Told(
        kind="node-error", body={"node": "b", "detail": "Node b is gone."}
    )
    events.take("a", end())
    body = events.end().body
    assert (body["state"], body["reason"]) == ("stopped", "stopped by request")
    assert body["broken"] == {"b": "Node b is gone."}
    assert body["error"] == "b: Node b is gone."


def test_where_all_nodes_break_off_the_whole_has_failed() -> None:
    events = merged(a="running")
    events.break_off("a", "Node a is gone.")
    body = events.end().body
    assert (body["state"], body["reason"]) == ("failed", "the streams of all nodes broke off")
    assert body["statistics"] == {}


def test_a_stream_that_is_stopped_here_leaves_the_session_as_it_is() -> None:
    body = merged(a="running").end("this server shut down").body
    assert (body["reason"], body["state"], body["error"]) == (
        "this server shut down",
        "running",
        "",
    )


def test_reasons_that_differ_are_told_with_their_nodes_and_not_without_end() -> None:
    names = [f"n{number}" for number in range(MAX_NAMED + 3)]
    events = merged(**dict.fromkeys(names, "running"), z="running")
    for name in names:
        events.take(name, end("its duration of 1 s is over", error="no space left"))
    events.take("z", end("the node shut down", "failed"))
    body = events.end().body
    assert body["state"] == "failed"
    assert body["reason"] == (
        "its duration of 1 s is over (n0, n1, n2, n3, n4 and 3 more); the node shut down (z)"
    )
    assert body["error"].startswith("n0: no space left; n1: no space left")
    assert body["error"].endswith("; and 3 more")


def test_statistics_are_added_up_and_those_of_cpus_kept_apart() -> None:
    one = {
        "Spans": 2,
        "Exporters": {"otlp": {"Delivered": 1, "Error": "it is down"}},
        "AttributedByCpu": {"0": 4},
        "Source": {"Lost": 1, "Cpus": {"0": {"Read": 9}}},
    }
    other = {
        "Spans": 3,
        "Exporters": {"otlp": {"Delivered": 2, "Error": "it is down"}, "file": {"Error": ""}},
        "AttributedByCpu": {"0": 5},
        "Source": {"Lost": 2, "Cpus": {"0": {"Read": 8}}},
    }
    assert summed({"a": one, "b": other, "c": None}) == {
        "Spans": 5,
        "Exporters": {"otlp": {"Delivered": 3, "Error": "it is down"}, "file": {"Error": ""}},
        "AttributedByCpu": {"a/0": 4, "b/0": 5},
        "Source": {"Lost": 3, "Cpus": {"a/0": {"Read": 9}, "b/0": {"Read": 8}}},
    }


def test_statistics_of_another_shape_do_no_harm() -> None:
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"Source": deep}
    other = {"Spans": {"x": 1}, "Source": 3, "AttributedByCpu": 7}
    one = {"Spans": 2, "AttributedByCpu": {"0": 1}, "Source": {}}
    for nodes in ({"a": one, "b": other, "c": deep}, {"a": other, "b": deep, "c": one}):
        assert summed(nodes)
