"""What the manifests promise: to the cluster, to each other, and to the programs."""

import re
from collections.abc import Sequence

from attrs import fields

from container_tracer import __version__
from container_tracer.domain.model.service_pod import ServicePod, choose_pod
from container_tracer.entrypoints.cli.cluster import LABELS, SERVICE
from container_tracer.entrypoints.cli.server import TRACER_NAMESPACE
from container_tracer.entrypoints.node.__main__ import STOP_SECONDS
from container_tracer.entrypoints.node.settings import NodeSettings
from container_tracer.entrypoints.svc.settings import SvcSettings

from .conftest import Manifest, containers, of_kind, pods_of, variables


def default(name: str) -> str:
    return str(getattr(fields(SvcSettings), name).default)


def test_images_are_of_this_version(manifests: Sequence[Manifest]) -> None:
    images = {role: one["image"] for role, one in containers(manifests).items()}
    assert images == {role: f"container-tracer/tracer-{role}:{__version__}" for role in images}


def test_programs_know_every_variable(manifests: Sequence[Manifest]) -> None:
    for role, container in containers(manifests).items():
        given = {one["name"] for one in container.get("env", ())}
        assert given <= variables(role)


def test_every_container_is_probed_and_limited(manifests: Sequence[Manifest]) -> None:
    for container in containers(manifests).values():
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["path"] in ("/healthz", "/readyz")
            assert container[probe]["httpGet"]["port"] == container["ports"][0]["name"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


def test_probes_speak_what_the_server_speaks(manifests: Sequence[Manifest]) -> None:
    for container in containers(manifests).values():
        tls = any(one["name"].endswith("TLS_CERT") for one in container.get("env", ()))
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert (container[probe]["httpGet"].get("scheme") == "HTTPS") == tls


def test_the_client_finds_svc_and_knows_how_it_speaks(manifests: Sequence[Manifest]) -> None:
    pod, container = pods_of(manifests)["svc"], containers(manifests)["svc"]
    conditions = [{"type": "Ready", "status": "True"}]
    status = {"phase": "Running", "podIP": "10.0.0.1", "conditions": conditions}
    running = {**pod, "metadata": {**pod["metadata"], "name": "svc-0"}, "status": status}
    tls = any(one["name"].endswith("TLS_CERT") for one in container.get("env", ()))
    assert choose_pod([running]) == ServicePod(name="svc-0", port=8080, secure=tls)
    key, _, value = LABELS.partition("=")
    assert pod["metadata"]["labels"][key] == value
    deployment = of_kind("Deployment", manifests)["container-tracer-svc"]
    assert deployment["metadata"]["namespace"] == TRACER_NAMESPACE
    assert SERVICE in of_kind("Service", manifests)


def test_no_container_can_become_more_than_it_is(manifests: Sequence[Manifest]) -> None:
    for role, pod in pods_of(manifests).items():
        context = containers(manifests)[role]["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"]["drop"] == ["ALL"]
        assert "privileged" not in context
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_svc_is_nobody_and_sees_nothing_of_its_host(manifests: Sequence[Manifest]) -> None:
    pod = pods_of(manifests)["svc"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert "add" not in containers(manifests)["svc"]["securityContext"]["capabilities"]
    assert not {"hostPID", "hostNetwork", "hostIPC"} & pod.keys()
    assert not [volume for volume in pod.get("volumes", ()) if "hostPath" in volume]


def test_the_node_writes_on_its_host_into_tracefs_only(manifests: Sequence[Manifest]) -> None:
    pod = pods_of(manifests)["node"]["spec"]
    hosts = {one["name"]: one["hostPath"]["path"] for one in pod["volumes"] if "hostPath" in one}
    mounts = containers(manifests)["node"]["volumeMounts"]
    writable = {
        hosts.get(one["name"]) for one in mounts if not one.get("readOnly") and one["name"] in hosts
    }
    assert writable == {"/sys/kernel/tracing"}
    assert set(hosts.values()) == {"/proc", "/run", "/sys/fs/cgroup", "/sys/kernel/tracing"}


def test_the_node_is_on_every_machine(base: Sequence[Manifest]) -> None:
    assert pods_of(base)["node"]["spec"]["tolerations"] == [{"operator": "Exists"}]


def test_the_node_has_no_token_of_kubernetes(base: Sequence[Manifest]) -> None:
    pod = pods_of(base)["node"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] != pods_of(base)["svc"]["spec"]["serviceAccountName"]
    bound = of_kind("RoleBinding", base).values()
    subjects = {subject["name"] for one in bound for subject in one["subjects"]}
    assert subjects == {pods_of(base)["svc"]["spec"]["serviceAccountName"]}


def test_nobody_has_rights_beyond_the_namespace(base: Sequence[Manifest]) -> None:
    assert of_kind("ClusterRole", base) == {}
    assert of_kind("ClusterRoleBinding", base) == {}


def test_programs_may_take_the_time_they_need_to_stop(base: Sequence[Manifest]) -> None:
    for pod in pods_of(base).values():
        assert pod["spec"]["terminationGracePeriodSeconds"] > STOP_SECONDS + 1


def test_selectors_select(base: Sequence[Manifest]) -> None:
    labels = {role: pod["metadata"]["labels"] for role, pod in pods_of(base).items()}
    services = of_kind("Service", base)
    policies = of_kind("NetworkPolicy", base)
    workloads = {**of_kind("DaemonSet", base), **of_kind("Deployment", base)}
    for role, mine in labels.items():
        name = f"container-tracer-{role}"
        assert services[name]["spec"]["selector"] == mine
        assert policies[name]["spec"]["podSelector"]["matchLabels"] == mine
        assert workloads[name]["spec"]["selector"]["matchLabels"] == mine
    (source,) = policies["container-tracer-node"]["spec"]["ingress"][0]["from"]
    assert source == {"podSelector": {"matchLabels": labels["svc"]}}
    target = policies["container-tracer-svc"]["spec"]["egress"][0]["to"][0]
    assert target == {"podSelector": {"matchLabels": labels["node"]}}
    budget = of_kind("PodDisruptionBudget", base)["container-tracer-svc"]
    assert budget["spec"]["selector"]["matchLabels"] == labels["svc"]


def test_svc_finds_nodes_by_its_defaults(base: Sequence[Manifest]) -> None:
    ((key, value),) = pods_of(base)["node"]["metadata"]["labels"].items()
    assert default("pods_selector") == f"{key}={value}"
    (name,) = re.findall(r"^metadata\.name=(.*)$", default("svc_selector"))
    service = of_kind("Service", base)[name]
    assert service["spec"]["clusterIP"] == "None"
    (port,) = service["spec"]["ports"]
    (listening,) = containers(base)["node"]["ports"]
    assert port["targetPort"] == listening["name"]
    assert str(fields(NodeSettings).address.default) == f":{listening['containerPort']}"
