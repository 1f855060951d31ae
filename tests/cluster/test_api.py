"""What this project takes for granted of the Kubernetes API; here the fake one is tested, too."""

from contextlib import aclosing
from typing import Any

import pytest

from container_tracer.domain.model.watched_objects import WatchedObjects
from container_tracer.fakes.kubernetes.manifests import tracer_service
from container_tracer.ports.errors import ClusterUnavailable

from .conftest import CORE, WATCH_SECONDS, Cluster


def service(name: str, **labels: str) -> dict[str, Any]:
    made = tracer_service(name, target=8080)
    made["metadata"] = {"name": name, "labels": labels}
    return made


def names(listed: Any) -> list[str]:
    return [one["metadata"]["name"] for one in listed["items"]]


@pytest.fixture
async def services(cluster: Cluster) -> str:
    path = f"{CORE}/{cluster.namespace}/services"
    for name, labels in {"a": {"app": "x"}, "b": {"app": "y", "tier": "1"}, "c": {}}.items():
        await cluster.connection.post(path, service(name, **labels))
    return path


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"labelSelector": "app=x"}, ["a"]),
        ({"labelSelector": "app==y,tier"}, ["b"]),
        ({"labelSelector": "app!=x"}, ["b", "c"]),
        ({"labelSelector": "app in (x, y)"}, ["a", "b"]),
        ({"labelSelector": "app notin (x)"}, ["b", "c"]),
        ({"labelSelector": "!app"}, ["c"]),
        ({"fieldSelector": "metadata.name=b"}, ["b"]),
        ({"fieldSelector": "metadata.name!=b,metadata.name!=c"}, ["a"]),
    ],
)
async def test_selectors_mean_what_they_say(
    cluster: Cluster, services: str, query: dict[str, str], expected: list[str]
) -> None:
    listed = await cluster.connection.get(services, query)
    assert names(listed) == expected
    assert (listed["kind"], listed["apiVersion"]) == ("ServiceList", "v1")
    assert all("kind" not in one for one in listed["items"])


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("services", {"labelSelector": "app in ("}, 400),
        ("services", {"fieldSelector": "spec.nodeName=x"}, 400),
        ("services", {"continue": "what"}, 400),
        ("services/missing", {}, 404),
        ("nothings", {}, 404),
        ("services/a/nothing", {}, 404),
    ],
)
async def test_what_cannot_be_is_refused(
    cluster: Cluster, services: str, path: str, query: dict[str, str], status: int
) -> None:
    with pytest.raises(ClusterUnavailable) as caught:
        await cluster.connection.get(services.removesuffix("services") + path, query)
    assert caught.value.status == status


async def test_what_there_is_cannot_be_made_again(cluster: Cluster, services: str) -> None:
    with pytest.raises(ClusterUnavailable) as caught:
        await cluster.connection.post(services, service("a"))
    assert caught.value.status == 409


async def test_lists_come_in_pages_of_one_version(cluster: Cluster, services: str) -> None:
    first = await cluster.connection.get(services, {"limit": "2"})
    assert names(first) == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 1
    await cluster.connection.delete(f"{services}/c")
    go_on = {"limit": "2", "continue": first["metadata"]["continue"]}
    second = await cluster.connection.get(services, go_on)
    assert names(second) == ["c"]
    assert "continue" not in second["metadata"]
    versions = {one["metadata"]["resourceVersion"] for one in (first, second)}
    assert len(versions) == 1


async def test_a_watch_tells_what_it_selects(cluster: Cluster, services: str) -> None:
    listed = await cluster.connection.get(services, {"labelSelector": "app"})
    query = {
        "labelSelector": "app",
        "resourceVersion": listed["metadata"]["resourceVersion"],
        "allowWatchBookmarks": "true",
    }
    events = cluster.connection.watch(services, query, seconds=WATCH_SECONDS)
    told: list[tuple[str, str]] = []
    known = WatchedObjects[str](read=str)
    async with aclosing(events):
        await cluster.connection.post(services, service("d", app="z"))
        await cluster.connection.post(services, service("e"))
        await cluster.connection.delete(f"{services}/a")
        changed = await cluster.connection.get(f"{services}/b")
        changed["metadata"]["labels"] = {}
        await cluster.connection.put(f"{services}/b", changed)
        async for event in events:
            known.apply(event)
            if event["type"] != "BOOKMARK":
                told.append((event["type"], event["object"]["metadata"]["name"]))
                assert event["object"]["kind"] == "Service"
    assert told == [("ADDED", "d"), ("DELETED", "a"), ("DELETED", "b")]
    assert int(known.version) > int(listed["metadata"]["resourceVersion"])


async def test_a_watch_without_a_version_begins_with_what_there_is(
    cluster: Cluster, services: str
) -> None:
    events = cluster.connection.watch(services, {}, seconds=WATCH_SECONDS)
    told = [(one["type"], one["object"]["metadata"]["name"]) async for one in events]
    assert sorted(told) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]


TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


def review(kind: str, group: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": f"{group}/v1", "spec": spec}


async def test_a_token_of_nobody_is_not_authenticated(cluster: Cluster) -> None:
    asked = review("TokenReview", "authentication.k8s.io", token="of.no.body")
    answer = await cluster.connection.post(TOKEN_REVIEWS, asked)
    assert not answer["status"].get("authenticated")
    assert answer["status"]["error"]
    with pytest.raises(ClusterUnavailable) as caught:
        await cluster.connection.post(TOKEN_REVIEWS, review("TokenReview", "authentication.k8s.io"))
    assert caught.value.status == 400


async def test_who_has_no_rights_is_not_allowed(cluster: Cluster) -> None:
    attributes = {"verb": "create", "group": "example.org", "resource": "x", "namespace": "y"}
    kind = "SubjectAccessReview", "authorization.k8s.io"
    asked = review(*kind, user="nobody", resourceAttributes=attributes)
    answer = await cluster.connection.post(ACCESS_REVIEWS, asked)
    assert answer["status"]["allowed"] is False
    with pytest.raises(ClusterUnavailable) as caught:
        await cluster.connection.post(ACCESS_REVIEWS, review(*kind, user="nobody"))
    assert caught.value.status == 422


async def test_a_version_that_is_yet_to_come_is_refused(cluster: Cluster, services: str) -> None:
    with pytest.raises(ClusterUnavailable, match="Too large resource version") as caught:
        await cluster.connection.get(services, {"resourceVersion": "999999999999"})
    assert caught.value.status == 504
