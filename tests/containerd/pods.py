"""Pods and containers of a real runtime, made as a kubelet makes them: through the CRI."""

import json
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import grpc
from attrs import define, field, frozen
from cri_api.v1 import api_pb2 as cri

from .daemon import RECONNECT_AT_ONCE, runtime_at
from .images import BUSYBOX

PidMode: TypeAlias = Literal["CONTAINER", "POD", "NODE"]
"""Whose processes a container sees: its own, its pod's, the machine's."""

_SECONDS = 60


@frozen
class Ended:
    """What became of a command that was run in a container."""

    exit_code: int
    stdout: str
    stderr: str


@define(eq=False, kw_only=True)
class RealContainer:
    """A container of a pod. `container_id` is the runtime's."""

    pod: "RealPod"
    name: str
    container_id: str

    def start(self) -> None:
        request = cri.StartContainerRequest(container_id=self.container_id)
        self.pod.runtime.StartContainer(request, timeout=_SECONDS)

    def stop(self, grace_seconds: int = 0) -> None:
        """End its processes; it can still be asked about."""
        request = cri.StopContainerRequest(container_id=self.container_id, timeout=grace_seconds)
        self.pod.runtime.StopContainer(request, timeout=_SECONDS)

    def remove(self) -> None:
        request = cri.RemoveContainerRequest(container_id=self.container_id)
        self.pod.runtime.RemoveContainer(request, timeout=_SECONDS)

    def run(self, *command: str) -> Ended:
        """Run a command in it, as `kubectl exec` does, and wait for its end."""
        request = cri.ExecSyncRequest(container_id=self.container_id, cmd=command)
        answer: cri.ExecSyncResponse = self.pod.runtime.ExecSync(request, timeout=_SECONDS)
        return Ended(answer.exit_code, answer.stdout.decode(), answer.stderr.decode())

    @property
    def status(self) -> cri.ContainerStatus:
        return self._status().status

    @property
    def state(self) -> str:
        """One of `CREATED`, `RUNNING`, `EXITED`, `UNKNOWN`."""
        return str(cri.ContainerState.Name(self.status.state)).removeprefix("CONTAINER_")

    @property
    def pid(self) -> int:
        """The host's pid of its first process; 0 when it has ended."""
        return int(json.loads(self._status(verbose=True).info["info"])["pid"])

    @property
    def pids(self) -> set[int]:
        """The host's pids of all its processes."""
        place = Path(f"/sys/fs/cgroup/pids{self.pod.cgroup}/{self.container_id}/cgroup.procs")
        return set(map(int, place.read_text().split()))

    @property
    def tids(self) -> set[int]:
        """The host's tids of all threads of its processes."""
        return {int(one.name) for pid in self.pids for one in Path(f"/proc/{pid}/task").iterdir()}

    @property
    def output(self) -> list[str]:
        """Lines its first process wrote to stdout or stderr, in the order they came."""
        lines = (self.pod.logs / self.log_path).read_text().splitlines()
        return [line.split(" ", 3)[3] for line in lines]

    @property
    def log_path(self) -> str:
        return f"{self.name}/{self.status.metadata.attempt}.log"

    def _status(self, *, verbose: bool = False) -> cri.ContainerStatusResponse:
        request = cri.ContainerStatusRequest(container_id=self.container_id, verbose=verbose)
        answer: cri.ContainerStatusResponse = self.pod.runtime.ContainerStatus(
            request, timeout=_SECONDS
        )
        return answer


@define(eq=False, kw_only=True)
class RealPod:
    """A pod in the host's network. Its containers end with it."""

    runtime: Any
    config: cri.PodSandboxConfig
    sandbox_id: str
    _attempts: dict[str, int] = field(factory=dict)

    @property
    def name(self) -> str:
        return self.config.metadata.name

    @property
    def namespace(self) -> str:
        return self.config.metadata.namespace

    @property
    def uid(self) -> str:
        return self.config.metadata.uid

    @property
    def cgroup(self) -> str:
        return str(self.config.linux.cgroup_parent)

    @property
    def logs(self) -> Path:
        return Path(self.config.log_directory)

    def create(
        self,
        name: str,
        *command: str,
        mounts: Mapping[str, Path] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> RealContainer:
        """Make a container that runs a command. `mounts` are folders of the host, by place.

        A second one of the same name is what a kubelet makes to restart it.
        """
        attempt = self._attempts[name] = self._attempts.get(name, -1) + 1
        (self.logs / name).mkdir(exist_ok=True)
        config = cri.ContainerConfig(
            metadata=cri.ContainerMetadata(name=name, attempt=attempt),
            image=cri.ImageSpec(image=BUSYBOX),
            command=command,
            envs=[cri.KeyValue(key=key, value=value) for key, value in (environment or {}).items()],
            mounts=[
                cri.Mount(container_path=place, host_path=str(folder))
                for place, folder in (mounts or {}).items()
            ],
            labels={
                "io.kubernetes.container.name": name,
                "io.kubernetes.pod.name": self.name,
                "io.kubernetes.pod.namespace": self.namespace,
                "io.kubernetes.pod.uid": self.uid,
            },
            annotations={"io.kubernetes.container.restartCount": str(attempt)},
            log_path=f"{name}/{attempt}.log",
            linux=cri.LinuxContainerConfig(
                resources=cri.LinuxContainerResources(cpu_shares=2, oom_score_adj=1000),
                security_context=cri.LinuxContainerSecurityContext(
                    privileged=self.config.linux.security_context.privileged,
                    namespace_options=self.config.linux.security_context.namespace_options,
                ),
            ),
        )
        request = cri.CreateContainerRequest(
            pod_sandbox_id=self.sandbox_id, config=config, sandbox_config=self.config
        )
        answer = self.runtime.CreateContainer(request, timeout=_SECONDS)
        return RealContainer(pod=self, name=name, container_id=answer.container_id)

    def start(self, name: str, *command: str, **options: Any) -> RealContainer:
        """Make a container (see `create`) and start it."""
        container = self.create(name, *command, **options)
        container.start()
        return container

    def stop(self) -> None:
        """End all its processes; it can still be asked about."""
        request = cri.StopPodSandboxRequest(pod_sandbox_id=self.sandbox_id)
        self.runtime.StopPodSandbox(request, timeout=_SECONDS)

    def end(self) -> None:
        """End and remove it with all its containers; it may be gone already.

        Like a kubelet it tries again: a shim may hang up while it is asked to end.
        """
        request = cri.RemovePodSandboxRequest(pod_sandbox_id=self.sandbox_id)
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                self.stop()
                self.runtime.RemovePodSandbox(request, timeout=_SECONDS)
            except grpc.RpcError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return


@define(eq=False, kw_only=True)
class Pods:
    """Makes pods at a CRI endpoint, with cgroups below `cgroup` and logs in `logs`."""

    endpoint: str
    cgroup: str
    logs: Path
    made: list[RealPod] = field(factory=list)
    _channel: grpc.Channel = field(init=False)
    _runtime: Any = field(init=False)

    @_channel.default
    def _connect(self) -> grpc.Channel:
        return grpc.insecure_channel(self.endpoint, RECONNECT_AT_ONCE)

    @_runtime.default
    def _stub(self) -> Any:
        return runtime_at(self._channel)

    def run(
        self,
        name: str,
        *,
        namespace: str = "default",
        labels: Mapping[str, str] | None = None,
        pid_mode: PidMode = "CONTAINER",
        privileged: bool = False,
        handler: str = "",
    ) -> RealPod:
        """Start a pod, without containers so far; `handler` is a runtime of the settings."""
        uid = str(uuid.uuid4())
        logs = self.logs / f"{namespace}_{name}_{uid}"
        logs.mkdir(parents=True)
        modes = cri.NamespaceMode
        options = cri.NamespaceOption(network=modes.NODE, pid=modes.Value(pid_mode), ipc=modes.POD)
        config = cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(name=name, namespace=namespace, uid=uid),
            log_directory=str(logs),
            labels={
                "io.kubernetes.pod.name": name,
                "io.kubernetes.pod.namespace": namespace,
                "io.kubernetes.pod.uid": uid,
                **(labels or {}),
            },
            linux=cri.LinuxPodSandboxConfig(
                cgroup_parent=f"{self.cgroup}/kubepods/besteffort/pod{uid}",
                security_context=cri.LinuxSandboxSecurityContext(
                    namespace_options=options, privileged=privileged
                ),
            ),
        )
        request = cri.RunPodSandboxRequest(config=config, runtime_handler=handler)
        sandbox_id = self._runtime.RunPodSandbox(request, timeout=_SECONDS).pod_sandbox_id
        self.made.append(RealPod(runtime=self._runtime, config=config, sandbox_id=sandbox_id))
        return self.made[-1]

    def restart(self, container: RealContainer, *command: str, **options: Any) -> RealContainer:
        """End a container and start a new one of its name in its place, as a kubelet does."""
        container.stop()
        container.remove()
        return container.pod.start(container.name, *command, **options)

    def end_all(self) -> None:
        while self.made:
            self.made.pop().end()

    def close(self) -> None:
        """End all pods, and hang up."""
        try:
            self.end_all()
        finally:
            self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
