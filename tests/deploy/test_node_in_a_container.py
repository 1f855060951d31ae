"""tracer-node traces from a container that may no more than the DaemonSet says."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from cri_api.v1 import api_pb2 as cri

from container_tracer.adapters.system.threads import DRAIN_NICENESS
from tests.containerd.daemon import Containerd
from tests.containerd.images import BUSYBOX
from tests.containerd.pods import Pods, RealContainer, RealPod
from tests.integration.node.conftest import wait_for
from tests.integration.svc.conftest import free_port

from .conftest import Manifest, containers, pods_of

pytestmark = [pytest.mark.kernel, pytest.mark.containerd]

ROOT = Path(__file__).parents[2]
CAP_SYS_NICE = 1 << 23  # include/uapi/linux/capability.h
SECCOMP_FILTER = 2  # include/uapi/linux/seccomp.h


@define
class Tracer:
    """A tracer-node in a container, on a loopback port of the host."""

    url: str
    container: RealContainer

    def ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - the URL is ours
            self.url + path, data=data, method=method, headers=headers
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return json.load(answer)

    def is_ready(self) -> bool:
        assert self.container.state == "RUNNING", self.container.output
        try:
            return bool(self.ask("GET", "/readyz")["status"] == "ready")
        except urllib.error.HTTPError as error:
            pytest.fail(error.read().decode())
        except OSError:
            return False

    def knows(self, container: RealContainer) -> bool:
        pods = self.ask("GET", "/v1/pods").values()
        shown = [one for pod in pods for one in pod["Containers"].values()]
        return container.container_id in [one["ContainerId"] for one in shown]

    @contextmanager
    def tracing(self, pod: str) -> Iterator[Callable[[], int]]:
        """Trace a pod; give how many events of it there were so far."""
        body = {"pod": pod, "trace-hook": "trace_syscalls", "trace-arguments": "-s openat"}
        (made,) = self.ask("POST", "/v1/trace-session", {**body, "run": True})
        path = f"/v1/trace-session/{made}"

        def attributed() -> int:
            (session,) = self.ask("GET", path).values()
            assert session["Error"] is None
            return int(session["Statistics"]["Attributed"])

        yield attributed
        self.ask("DELETE", path)

    def rights(self) -> dict[str, int]:
        """Return what the kernel says its process may."""
        status = Path(f"/proc/{self.container.pid}/status").read_text().splitlines()
        fields = dict(line.split(":\t", 1) for line in status)
        rights = {name: int(fields[name]) for name in ("NoNewPrivs", "Seccomp")}
        return {"CapEff": int(fields["CapEff"], 16), **rights}

    def niceness(self) -> list[int]:
        """Return that of each of its threads."""
        stats = Path(f"/proc/{self.container.pid}/task").glob("*/stat")
        return [int(one.read_text().rpartition(")")[2].split()[16]) for one in stats]


StartTracer = Callable[..., Tracer]


@pytest.fixture
def start_tracer(
    base: Sequence[Manifest], pods: Pods, containerd: Containerd
) -> Iterator[StartTracer]:
    """Start it as a kubelet would, `without` a capability, or with other flags."""

    started: list[Tracer] = []

    def start(*flags: str, without: str = "") -> Tracer:
        pod = pods.run("tracer", namespace="container-tracer", pid_mode="NODE")
        port = free_port()
        name = f"test-{os.getpid()}-{port}"
        command = [
            *(sys.executable, "-m", "container_tracer.entrypoints.node"),
            *("--address", f"127.0.0.1:{port}", "--node-name", name, *flags),
        ]
        config = _as_kubelet(base, pod, containerd, without=without)
        config.command.extend(command)
        tracer = Tracer(f"http://127.0.0.1:{port}", _started(pod, config))
        started.append(tracer)
        wait_for(tracer.is_ready, "the tracer to be ready")
        return tracer

    yield start
    for one in started:
        one.container.stop(grace_seconds=10)


def _started(pod: RealPod, config: cri.ContainerConfig) -> RealContainer:
    (pod.logs / config.metadata.name).mkdir()
    request = cri.CreateContainerRequest(
        pod_sandbox_id=pod.sandbox_id, config=config, sandbox_config=pod.config
    )
    made = pod.runtime.CreateContainer(request, timeout=60)
    container = RealContainer(pod=pod, name=config.metadata.name, container_id=made.container_id)
    container.start()
    return container


def _as_kubelet(
    base: Sequence[Manifest], pod: RealPod, containerd: Containerd, *, without: str
) -> cri.ContainerConfig:
    """Say what the DaemonSet says in the words of the CRI; programs are those of this machine."""
    template, container = pods_of(base)["node"]["spec"], containers(base)["node"]
    context = container["securityContext"]
    assert template["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    capabilities = cri.Capability(
        add_capabilities=[one for one in context["capabilities"]["add"] if one != without],
        drop_capabilities=context["capabilities"]["drop"],
    )
    # A field of its own in the manifest, a value of the runtime's machine here.
    given = {one["name"]: one.get("value", "tracer") for one in container["env"]}
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name="tracer-node"),
        image=cri.ImageSpec(image=BUSYBOX),
        envs=[cri.KeyValue(key=key, value=value) for key, value in given.items()],
        mounts=[*_mounts(template, container, containerd), *_programs()],
        log_path="tracer-node/0.log",
        linux=cri.LinuxContainerConfig(
            security_context=cri.LinuxContainerSecurityContext(
                capabilities=capabilities,
                no_new_privs=not context["allowPrivilegeEscalation"],
                readonly_rootfs=context["readOnlyRootFilesystem"],
                run_as_user=cri.Int64Value(value=template["securityContext"]["runAsUser"]),
                seccomp=cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault),
                namespace_options=pod.config.linux.security_context.namespace_options,
            )
        ),
    )


def _mounts(template: Manifest, container: Manifest, containerd: Containerd) -> Iterator[cri.Mount]:
    """Mount what the manifest mounts; `/run` is that of the containerd of this test."""
    run = _run_folder(containerd)
    hosts = {one["name"]: one.get("hostPath", {}).get("path") for one in template["volumes"]}
    for mount in container["volumeMounts"]:
        source = hosts[mount["name"]]
        if source is None:  # an emptyDir
            source = str(containerd.folder / f"empty-{mount['name']}")
            Path(source).mkdir(exist_ok=True)
        yield cri.Mount(
            container_path=mount["mountPath"],
            host_path=str(run) if source == "/run" else source,
            readonly=mount.get("readOnly", False),
        )


def _run_folder(containerd: Containerd) -> Path:
    """Return a folder in which a runtime's socket is where it is in `/run` of a machine."""
    socket = containerd.folder / "tracer-run/containerd/containerd.sock"
    socket.parent.mkdir(parents=True, exist_ok=True)
    socket.unlink(missing_ok=True)
    socket.hardlink_to(containerd.socket)
    return socket.parents[1]


def _programs() -> Iterator[cri.Mount]:
    """Mount the Python that runs this, and all it needs."""
    folders = {str(ROOT), sys.base_prefix, "/usr", "/lib", "/lib64"}
    for folder in folders:
        if Path(folder).exists():
            real = str(Path(folder).resolve())
            yield cri.Mount(container_path=folder, host_path=real, readonly=True)


@pytest.fixture
def web(pods: Pods) -> RealContainer:
    """A container that opens files all the time."""
    return pods.run("shop").start("web", "sh", "-c", "while :; do cat /etc/passwd; done")


def test_it_traces_with_what_the_manifest_gives_it(
    start_tracer: StartTracer, web: RealContainer
) -> None:
    tracer = start_tracer()
    wait_for(lambda: tracer.ask("GET", "/readyz")["discovery"] == "cri", "the runtime's answer")
    assert tracer.rights() == {"CapEff": CAP_SYS_NICE, "NoNewPrivs": 1, "Seccomp": SECCOMP_FILTER}
    wait_for(lambda: tracer.knows(web), "the container to be known")
    with tracer.tracing("shop") as attributed:
        wait_for(lambda: attributed() > 100, "calls of the container")
        assert min(tracer.niceness()) == DRAIN_NICENESS
    assert web.state == "RUNNING"


def test_sys_nice_is_for_priority_and_nothing_else(
    start_tracer: StartTracer, web: RealContainer
) -> None:
    tracer = start_tracer("--use-procfs", without="SYS_NICE")
    assert tracer.rights()["CapEff"] == 0
    wait_for(lambda: tracer.knows(web), "the container to be known")
    with tracer.tracing(web.pod.uid[:12]) as attributed:
        wait_for(lambda: attributed() > 100, "calls of the container")
        assert min(tracer.niceness()) == 0
