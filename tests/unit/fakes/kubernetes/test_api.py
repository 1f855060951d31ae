import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest

from container_tracer.fakes.kubernetes.access import Binding, User
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.calls import PODS, Call
from container_tracer.fakes.kubernetes.faults import Fault, Manners
from container_tracer.fakes.kubernetes.manifests import tracer_pod, tracer_service

ALL_PODS = "/api/v1/pods"


def names(listed: dict[str, Any]) -> list[str]:
    return [one["metadata"]["name"] for one in listed["items"]]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=a", ["one"]),
        ("app==a,tier", ["one"]),
        ("app!=a", ["three", "two"]),
        ("app in (a, b)", ["one", "two"]),
        ("app notin (a,b)", ["three"]),
        ("!tier", ["three", "two"]),
        ("tier,app in (b)", []),
    ],
)
async def test_labels_select(
    api: FakeKubernetesApi, http: Any, selector: str, expected: Any
) -> None:
    labels: dict[str, dict[str, str]] = {
        "one": {"app": "a", "tier": "web"},
        "two": {"app": "b"},
        "three": {},
    }
    await api.objects.put(*(tracer_pod(name, node="n", labels=labels[name]) for name in labels))
    status, listed = await http.ask(ALL_PODS, labelSelector=selector)
    assert (status, names(listed)) == (200, expected)


async def test_fields_select_and_only_those_the_resource_has(
    api: FakeKubernetesApi, http: Any
) -> None:
    await api.objects.put(
        tracer_pod("one", node="n1"), tracer_pod("two", node="n2"), tracer_service("two")
    )
    _, listed = await http.ask(ALL_PODS, fieldSelector="spec.nodeName!=n1")
    assert names(listed) == ["two"]
    _, services = await http.ask("/api/v1/services", fieldSelector="metadata.name=two")
    assert names(services) == ["two"]
    status, refusal = await http.ask("/api/v1/services", fieldSelector="spec.nodeName=n1")
    assert (status, refusal["reason"]) == (400, "BadRequest")
    status, _ = await http.ask(ALL_PODS, labelSelector="(")
    assert status == 400


async def test_pages_go_on_as_the_list_was_until_that_is_forgotten(
    api: FakeKubernetesApi, http: Any
) -> None:
    await api.objects.put(*(tracer_pod(f"p{i}", node="n") for i in range(5)))
    _, first = await http.ask(ALL_PODS, limit="2")
    assert names(first) == ["p0", "p1"]
    assert first["metadata"]["remainingItemCount"] == 3
    await api.objects.delete(PODS, "p3", namespace="container-tracer")
    _, second = await http.ask(ALL_PODS, limit="2", **{"continue": first["metadata"]["continue"]})
    assert names(second) == ["p2", "p3"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    api.objects.forget()
    status, gone = await http.ask(
        ALL_PODS, limit="2", **{"continue": second["metadata"]["continue"]}
    )
    assert (status, gone["reason"], gone["code"]) == (410, "Expired", 410)


async def test_a_watch_tells_what_comes_to_match_changes_and_ceases_to(
    api: FakeKubernetesApi, http: Any
) -> None:
    await api.objects.put(tracer_pod("one", node="n"))
    events = http.watch(
        ALL_PODS, labelSelector="app=mine", resourceVersion=str(api.objects.version)
    )
    mine = {"app": "mine"}

    async def change() -> None:
        await api.watched("pods")
        await api.objects.put(tracer_pod("one", node="n", labels=mine))
        await api.objects.put(tracer_service())
        await api.objects.put(tracer_pod("one", node="n", labels=mine, ready=False))
        await api.objects.put(tracer_pod("one", node="n", labels={}))
        await api.objects.put(tracer_pod("two", node="n", labels=mine))
        await api.objects.delete(PODS, "two", namespace="container-tracer")
        await api.watches.end(api.objects)

    task = asyncio.create_task(change())
    told = [(one["type"], one["object"]["metadata"]["name"]) async for one in events]
    await task
    assert told == [
        ("ADDED", "one"),
        ("MODIFIED", "one"),
        ("DELETED", "one"),
        ("ADDED", "two"),
        ("DELETED", "two"),
    ]


async def test_a_watch_without_a_version_begins_with_what_is_there(
    api: FakeKubernetesApi, http: Any
) -> None:
    await api.objects.put(tracer_pod("one", node="n"))
    told = [one async for one in http.watch(ALL_PODS, timeoutSeconds="0.1")]
    assert [(one["type"], one["object"]["kind"]) for one in told] == [("ADDED", "Pod")]


async def test_a_watch_ends_with_a_bookmark_for_who_takes_them(
    api: FakeKubernetesApi, http: Any
) -> None:
    await api.objects.put(tracer_pod("one", node="n"))
    version = str(api.objects.version)
    asked = {"allowWatchBookmarks": "true", "timeoutSeconds": "0.1", "resourceVersion": version}
    (told,) = [one async for one in http.watch(ALL_PODS, **asked)]
    assert told["type"] == "BOOKMARK"
    assert told["object"]["metadata"]["resourceVersion"] == version


async def test_a_watch_from_a_forgotten_version_is_told_so(
    api: FakeKubernetesApi, http: Any
) -> None:
    await api.objects.put(tracer_pod("one", node="n"), tracer_pod("two", node="n"))
    api.objects.forget()
    (told,) = [one async for one in http.watch(ALL_PODS, resourceVersion="101")]
    assert (told["type"], told["object"]["code"]) == ("ERROR", 410)


async def test_objects_are_created_changed_and_deleted(http: Any) -> None:
    pods = "/api/v1/namespaces/demo/pods"
    pod = {**tracer_pod("one", node="n"), "metadata": {"name": "one"}}
    status, created = await http.ask(pods, method="POST", body=pod)
    assert (status, created["metadata"]["namespace"]) == (201, "demo")
    assert (await http.ask(pods, method="POST", body=pod))[0] == 409
    assert (await http.ask(f"{pods}/one", method="PUT", body=pod))[0] == 200
    assert (await http.ask(f"{pods}/one"))[0] == 200
    assert (await http.ask(f"{pods}/one", method="DELETE"))[0] == 200
    assert (await http.ask(f"{pods}/one"))[0] == 404
    assert (await http.ask(pods, method="POST", body=[1]))[0] == 400


async def test_unknown_and_absent_resources_are_no_pages(api: FakeKubernetesApi, http: Any) -> None:
    api.absent.add("discovery.k8s.io")
    for path in ("/apis/discovery.k8s.io/v1/endpointslices", "/apis/x/v1/y", "/api/v2/pods"):
        assert await http.ask(path) == (404, "404 page not found\n")
    status, refusal = await http.ask("/api/v1/nothings")
    assert (status, refusal["reason"]) == (404, "NotFound")
    assert (await http.ask("/version"))[1]["major"] == "1"


async def test_who_has_no_good_token_is_sent_away(api: FakeKubernetesApi, http: Any) -> None:
    api.access.authenticates = True
    api.access.users["t"] = User(name="ada")
    assert (await http.ask(ALL_PODS))[0] == 401
    assert (await http.ask(ALL_PODS, bearer="old"))[0] == 401
    assert (await http.ask(ALL_PODS, bearer="t"))[0] == 200
    assert [one.user for one in api.calls] == ["", "", "ada"]
    assert await http.ask("/readyz") == (200, "ok")


async def test_rules_allow_what_they_say_and_nothing_else(
    api: FakeKubernetesApi, http: Any
) -> None:
    api.access.authorizes = True
    api.access.users["t"] = User(name="ada", groups=("dev",))
    listing = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    one_service = {
        "apiGroups": [""],
        "resources": ["services"],
        "verbs": ["list"],
        "resourceNames": ["mine"],
    }
    api.access.bindings.append(Binding(subject="dev", rules=[listing, one_service], namespace="a"))
    path = "/api/v1/namespaces/a/services"
    assert (await http.ask("/api/v1/namespaces/a/pods", bearer="t"))[0] == 200
    assert (await http.ask(path, bearer="t", fieldSelector="metadata.name=mine"))[0] == 200
    assert (await http.ask(path, bearer="t"))[0] == 403
    assert (await http.ask("/api/v1/namespaces/b/pods", bearer="t"))[0] == 403
    assert (await http.ask("/api/v1/namespaces/a/pods"))[0] == 403
    status, refusal = await http.ask(ALL_PODS, bearer="t", watch="true")
    assert status == 403
    assert refusal["message"] == (
        'pods is forbidden: User "ada" cannot watch resource "pods" in API group ""'
        " at the cluster scope"
    )


async def test_reviews_are_answered_from_the_same_tables(api: FakeKubernetesApi, http: Any) -> None:
    api.access.users["t"] = User(name="ada", groups=("dev",))
    rule = {"apiGroups": ["container-tracer"], "resources": ["sessions"], "verbs": ["create"]}
    api.access.bindings.append(Binding(subject="ada", rules=[rule], namespace="shop"))
    tokens = "/apis/authentication.k8s.io/v1/tokenreviews"
    _, good = await http.ask(tokens, method="POST", body={"spec": {"token": "t"}})
    assert good["status"]["user"]["groups"] == ["dev", "system:authenticated"]
    _, bad = await http.ask(tokens, method="POST", body={"spec": {"token": "x"}})
    assert not bad["status"].get("authenticated")
    other = {"spec": {"token": "t", "audiences": ["elsewhere"]}}
    _, elsewhere = await http.ask(tokens, method="POST", body=other)
    assert not elsewhere["status"].get("authenticated")
    reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    attributes = {"group": "container-tracer", "resource": "sessions", "verb": "create"}
    for namespace, allowed in (("shop", True), ("bank", False)):
        asked = {"user": "ada", "resourceAttributes": {**attributes, "namespace": namespace}}
        _, answer = await http.ask(reviews, method="POST", body={"spec": asked})
        assert answer["status"]["allowed"] is allowed
    assert api.calls[-1] == Call(
        verb="create", group="authorization.k8s.io", resource="subjectaccessreviews"
    )


async def test_faults_befall_as_many_calls_as_told(api: FakeKubernetesApi, http: Any) -> None:
    slow_down = {"Retry-After": "1"}
    api.faults += [
        Fault(status=429, reason="TooManyRequests", headers=slow_down, verb="list"),
        Fault(body=b"{no json", status=200, verb="list", resource="pods"),
    ]
    assert (await http.ask("/version"))[0] == 200
    assert (await http.ask(ALL_PODS))[0] == 429
    assert (await http.ask(ALL_PODS)) == (200, "{no json")
    assert (await http.ask(ALL_PODS))[0] == 200


@pytest.mark.parametrize("manners", [Manners.HANGS_UP, Manners.BREAKS_OFF])
async def test_connections_break(api: FakeKubernetesApi, http: Any, manners: Manners) -> None:
    api.faults.append(Fault(manners=manners, times=2))  # aiohttp tries a GET again by itself
    with pytest.raises(aiohttp.ClientError):
        await http.ask(ALL_PODS)


async def test_it_goes_away_with_all_watches_and_comes_back_where_it_was(
    api: FakeKubernetesApi, http: Any
) -> None:
    async def watch() -> None:
        with contextlib.suppress(aiohttp.ClientError):
            async for _ in http.watch(ALL_PODS):
                pass

    api.faults.append(Fault(manners=Manners.HANGS, verb="list", times=9))
    hanging = asyncio.create_task(http.ask(ALL_PODS))
    watching = asyncio.create_task(watch())
    await api.watched("pods")
    await api.until(lambda: any(one.verb == "list" for one in api.calls))
    await api.stop()
    await watching
    with pytest.raises(aiohttp.ClientError):
        await hanging
    with pytest.raises(aiohttp.ClientConnectorError):
        await http.ask("/version")
    await api.start()
    assert (await http.ask("/version"))[0] == 200
