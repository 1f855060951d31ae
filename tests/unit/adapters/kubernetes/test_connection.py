import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from attrs import evolve

from container_tracer.adapters.kubernetes.connection import KubernetesConnection
from container_tracer.adapters.kubernetes.settings import KubernetesSettings
from container_tracer.fakes.kubernetes.access import User
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.faults import Fault, Manners
from container_tracer.fakes.kubernetes.manifests import tracer_pod
from container_tracer.ports.errors import ClusterUnavailable

PODS = "/api/v1/namespaces/container-tracer/pods"


async def refused(connection: KubernetesConnection, path: str = PODS) -> ClusterUnavailable:
    with pytest.raises(ClusterUnavailable) as caught:
        await connection.get(path)
    assert str(caught.value).isprintable()
    return caught.value


def change(settings: KubernetesSettings, edit: Callable[[Any], None]) -> None:
    path = Path(settings.kubeconfig)
    config = json.loads(path.read_text())
    edit(config)
    path.write_text(json.dumps(config))


async def test_objects_come_and_go(
    api: FakeKubernetesApi, connection: KubernetesConnection
) -> None:
    pod = tracer_pod("one", node="n")
    await connection.post(PODS, pod)
    listed = await connection.get(PODS, {"labelSelector": "app in (container-tracer-backend, b)"})
    assert [one["metadata"]["name"] for one in listed["items"]] == ["one"]
    await connection.put(f"{PODS}/one", pod)
    await connection.delete(f"{PODS}/one")
    assert [one.verb for one in api.calls] == ["create", "list", "update", "delete"]
    assert connection.namespace == "container-tracer"


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (Fault(), 500, "answered 500: etcdserver: leader changed."),
        (Fault(status=429, headers={"Retry-After": "7"}), 429, "answered 429"),
        (Fault(status=401, message="Unauthorized", times=2), 401, "does not know who is asking"),
        (Fault(status=403, message="pods is forbidden: x"), 403, "pods is forbidden: x. A Role"),
        (Fault(status=404, message="not found"), 404, "no such resource: not found."),
        (Fault(status=200, body=b"<html>"), 0, "does not speak as Kubernetes does"),
        (Fault(status=200, body=b"[1]"), 0, "does not speak as Kubernetes does"),
        (Fault(status=502, body=b"bad\x1b gateway\n"), 502, r"bad\x1b gateway"),
        (Fault(manners=Manners.HANGS_UP, times=2), 0, "broke the connection off"),
        (Fault(manners=Manners.BREAKS_OFF), 0, "broke the connection off"),
        (Fault(manners=Manners.HANGS), 0, "did not answer in time"),
    ],
)
async def test_what_goes_wrong_is_a_sentence(
    api: FakeKubernetesApi, settings: KubernetesSettings, fault: Fault, status: int, words: str
) -> None:
    seconds = 0.2 if fault.manners is Manners.HANGS else 10.0
    connection = await KubernetesConnection.open(evolve(settings, timeout_seconds=seconds))
    api.faults.append(fault)
    error = await refused(connection)
    assert words in str(error)
    assert error.status == status
    assert error.retry_after_seconds == (7 if status == 429 else 0)
    assert await connection.get("/version")
    await connection.close()


async def test_an_api_that_is_away_cannot_be_reached_and_can_when_it_is_back(
    api: FakeKubernetesApi, connection: KubernetesConnection
) -> None:
    assert await connection.get("/version")
    await api.stop()
    assert "cannot be reached: " in str(await refused(connection))
    await api.start()
    assert await connection.get("/version")


async def test_a_token_that_was_rotated_is_read_again(
    api: FakeKubernetesApi, settings: KubernetesSettings
) -> None:
    api.access.authenticates = True
    api.access.users["first"] = User(name="svc")
    token = Path(settings.kubeconfig).with_name("token")
    token.write_text("first")
    change(settings, lambda config: config["users"][0].update(user={"tokenFile": "token"}))
    connection = await KubernetesConnection.open(settings)
    assert await connection.get("/version")
    api.access.users["second"] = api.access.users.pop("first")
    assert (await refused(connection)).status == 401
    token.write_text("second")
    assert await connection.get("/version")
    await connection.close()


async def test_the_service_account_of_a_pod_is_used(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("::1").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    (tmp_path / "token").write_text("secret")
    (tmp_path / "namespace").write_text("tracing\n")
    async with FakeKubernetesApi(tls=tls, host="::1") as api:
        api.access.authenticates = True
        api.access.users["secret"] = User(name="system:serviceaccount:tracing:svc")
        environ = {"KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": str(api.port)}
        settings = KubernetesSettings(service_account=tmp_path, environ=environ)
        connection = await KubernetesConnection.open(settings)
        assert await connection.get("/version")
        assert (connection.address, connection.namespace) == (api.url, "tracing")
        await connection.close()


async def test_a_certificate_of_another_authority_is_not_trusted(tmp_path: Path) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.issue_cert("127.0.0.1").configure_cert(tls)
    ours.cert_pem.write_to_path(tmp_path / "ca.crt")
    async with FakeKubernetesApi(tls=tls) as api:
        path = api.write_kubeconfig(tmp_path / "config", ca_file=tmp_path / "ca.crt")
        connection = await KubernetesConnection.open(KubernetesSettings(kubeconfig=str(path)))
        assert "certificate that is not trusted" in str(await refused(connection))
        await connection.close()


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", "clusters: 1", "current-context: x\ncontexts: []\nclusters: []\nusers: []"],
)
async def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(ClusterUnavailable, match=f"The kubeconfig {path} cannot be used: ."):
        await KubernetesConnection.open(KubernetesSettings(kubeconfig=str(path)))


@pytest.mark.parametrize(
    ("environ", "paths"),
    [
        ({"KUBECONFIG": "/a:/b", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "/a:/b"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOME": "/root"}, ""),
        ({"HOME": "/nowhere"}, "/nowhere/.kube/config"),
    ],
)
async def test_it_is_found_where_kubectl_finds_it(environ: dict[str, str], paths: str) -> None:
    settings = KubernetesSettings(environ=environ, service_account=Path("/nowhere"))
    assert settings.kubeconfig_paths == paths
    with pytest.raises(ClusterUnavailable):
        await KubernetesConnection.open(settings)


async def test_a_context_is_chosen_by_its_name(
    api: FakeKubernetesApi, settings: KubernetesSettings
) -> None:
    context = {"cluster": "fake", "user": "fake", "namespace": "elsewhere"}
    other = {"name": "other", "context": context}
    change(settings, lambda config: config["contexts"].append(other))
    connection = await KubernetesConnection.open(evolve(settings, context="other"))
    assert (connection.address, connection.namespace) == (api.url, "elsewhere")
    with pytest.raises(ClusterUnavailable, match="name missing"):
        await KubernetesConnection.open(evolve(settings, context="missing"))
    await connection.close()


async def test_a_watch_yields_events_as_they_come_and_ends_in_time(
    api: FakeKubernetesApi, connection: KubernetesConnection
) -> None:
    await api.objects.put(tracer_pod("one", node="n"))
    events = connection.watch(PODS, {}, seconds=1)
    assert (await anext(events))["object"]["metadata"]["name"] == "one"
    await api.objects.put(tracer_pod("two", node="n"))
    assert (await anext(events))["object"]["metadata"]["name"] == "two"
    assert [one async for one in events] == []


@pytest.mark.parametrize("line", [b"{no json\n", b"[]\n", b"x" * (9 << 20)])
async def test_a_watch_that_talks_nonsense_fails(
    api: FakeKubernetesApi, connection: KubernetesConnection, line: bytes
) -> None:
    events = connection.watch(PODS, {}, seconds=5)
    first = asyncio.ensure_future(anext(events))
    await api.watched("pods")
    await api.watches.say(line)
    with pytest.raises(ClusterUnavailable, match="does not speak as Kubernetes does"):
        await first


async def test_a_watch_that_breaks_off_fails(
    api: FakeKubernetesApi, connection: KubernetesConnection
) -> None:
    first: asyncio.Future[Any] = asyncio.ensure_future(anext(connection.watch(PODS, {}, seconds=5)))
    await api.watched("pods")
    api.watches.hang_up()
    with pytest.raises(ClusterUnavailable, match="broke the connection off"):
        await first


async def test_a_websocket_that_is_refused_says_why(connection: KubernetesConnection) -> None:
    with pytest.raises(ClusterUnavailable) as caught:
        async with connection.websocket(f"{PODS}/one/portforward", protocols=("x",)):
            pass
    assert caught.value.status == 404
