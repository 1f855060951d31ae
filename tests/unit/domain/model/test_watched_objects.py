from typing import Any

import pytest

from container_tracer.domain.model.kubernetes_json import number
from container_tracer.domain.model.watched_objects import (
    WatchedObjects,
    WatchExpired,
    WatchFailed,
)


def numbers() -> WatchedObjects[int]:
    return WatchedObjects(read=lambda raw: number(raw, "n") or None)


def event(kind: str, name: str, version: str, n: int = 1) -> dict[str, Any]:
    metadata = {"name": name, "resourceVersion": version}
    return {"type": kind, "object": {"metadata": metadata, "n": n}}


def test_events_add_change_and_remove() -> None:
    known = numbers()
    known.apply(event("ADDED", "a", "10", 1))
    known.apply(event("ADDED", "b", "11", 2))
    known.apply(event("MODIFIED", "a", "12", 3))
    known.apply(event("DELETED", "b", "13"))
    assert (list(known.values()), known.version) == ([3], "13")


def test_a_bookmark_tells_the_version_alone() -> None:
    known = numbers()
    known.apply(event("BOOKMARK", "", "20"))
    assert (list(known.values()), known.version) == ([], "20")


def test_what_a_list_knew_already_is_not_undone_by_a_watch_that_lags() -> None:
    known = numbers()
    listed = known.anew()
    listed.add([{"metadata": {"name": "a"}, "n": 5}], "30")
    known.become(listed)
    known.apply(event("MODIFIED", "a", "29", 4))
    known.apply(event("ADDED", "b", "30", 4))
    assert list(known.values()) == [5]
    known.apply(event("MODIFIED", "a", "100", 6))
    assert list(known.values()) == [6]


def test_a_list_that_a_watch_has_overtaken_changes_nothing() -> None:
    known = numbers()
    known.apply(event("ADDED", "a", "101", 7))
    listed = known.anew()
    listed.add([], "99")
    known.become(listed)
    assert list(known.values()) == [7]


def test_what_is_in_doubt_becomes_what_the_next_list_has() -> None:
    known = numbers()
    known.apply(event("ADDED", "a", "101", 7))
    known.doubt()
    assert list(known.values()) == [7]
    listed = known.anew()
    listed.add([{"metadata": {"name": "b"}, "n": 8}], "50")
    known.become(listed)
    known.apply(event("ADDED", "c", "51", 9))
    assert list(known.values()) == [8, 9]


def test_versions_that_are_no_numbers_are_taken_as_they_come() -> None:
    known = numbers()
    known.apply(event("ADDED", "a", "zz", 7))
    known.apply(event("MODIFIED", "a", "aa", 8))
    listed = known.anew()
    listed.add([], "mm")
    assert list(known.values()) == [8]
    known.become(listed)
    assert list(known.values()) == []


def test_a_watch_that_cannot_go_on_says_so() -> None:
    gone = {"code": 410, "message": "too old resource version: 1 (5)"}
    with pytest.raises(WatchExpired, match="too old"):
        numbers().apply({"type": "ERROR", "object": gone})
    with pytest.raises(WatchFailed, match="no reason") as caught:
        numbers().apply({"type": "ERROR", "object": None})
    assert not isinstance(caught.value, WatchExpired)


@pytest.mark.parametrize("odd", [{}, {"type": "ADDED"}, {"type": 1, "object": {"metadata": 1}}])
def test_an_event_that_is_none_changes_nothing(odd: dict[str, Any]) -> None:
    known = numbers()
    known.apply(odd)
    assert (list(known.values()), known.version) == ([], "")


def test_objects_of_one_name_in_two_namespaces_are_two() -> None:
    known = numbers()
    for version, namespace in (("10", "x"), ("11", "y")):
        added = event("ADDED", "a", version, int(version))
        added["object"]["metadata"]["namespace"] = namespace
        known.apply(added)
    assert list(known.values()) == [10, 11]


def test_an_object_of_which_nothing_can_be_made_any_more_is_gone() -> None:
    known = numbers()
    known.apply(event("ADDED", "a", "10", 1))
    known.apply(event("MODIFIED", "a", "11", 0))
    assert list(known.values()) == []
