"""A container runtime that speaks the CRI over a UNIX socket, as well or as badly as it is told.

Beside `runtime.v1` it has containerd's service of events, unless `has_events` is off.
"""

import json
import queue
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

import grpc
from attrs import define, field
from cri_api.v1 import api_pb2 as cri
from cri_api.v1.api_pb2_grpc import (
    RuntimeServiceServicer,
    add_RuntimeServiceServicer_to_server,
)

EVENTS = "containerd.services.events.v1.Events"
_THREADS = 16
_POLL_SECONDS = 0.02


class Manners(Enum):
    """How a method deals with calls: only the first is as it should be."""

    ANSWERS = "as it should"
    HANGS = "never answers"
    UNIMPLEMENTED = "does not exist"
    FAILS = "answers INTERNAL"


@define(kw_only=True, eq=False)
class FakeCriServer:
    """Answers with `sandboxes`, `containers` and, by container id, `infos`, all by id.

    As a context manager it listens at `path` from beginning to end; in between it may be stopped
    and started. `manners` are by name of method, `calls` counts those that came in.
    """

    path: Path
    runtime: str = "containerd"
    version: str = "1.7.24"
    sandboxes: dict[str, cri.PodSandbox] = field(factory=dict)
    containers: dict[str, cri.Container] = field(factory=dict)
    infos: dict[str, Mapping[str, str]] = field(factory=dict)
    image_names: dict[str, str] = field(factory=dict)
    manners: dict[str, Manners] = field(factory=dict)
    has_events: bool = True
    calls: Counter[str] = field(factory=Counter)
    subscriptions: list[bytes] = field(factory=list)
    listeners: list["queue.SimpleQueue[bytes]"] = field(factory=list)
    _server: grpc.Server | None = None
    _stopped: Event = field(factory=Event)

    def add_pod(
        self,
        sandbox_id: str,
        name: str,
        *,
        namespace: str = "demo",
        uid: str = "",
        handler: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Add a sandbox that is ready."""
        self.sandboxes[sandbox_id] = cri.PodSandbox(
            id=sandbox_id,
            metadata=cri.PodSandboxMetadata(name=name, namespace=namespace, uid=uid),
            created_at=len(self.sandboxes),
            runtime_handler=handler,
            labels=labels or {},
        )

    def add_container(self, container_id: str, name: str, *, sandbox_id: str, pid: int) -> None:
        """Add a container that runs."""
        self.containers[container_id] = cri.Container(
            id=container_id,
            pod_sandbox_id=sandbox_id,
            metadata=cri.ContainerMetadata(name=name),
            image=cri.ImageSpec(image=f"sha256:{name}"),
            state=cri.CONTAINER_RUNNING,
            created_at=len(self.containers),
        )
        self.say(container_id, pid=pid, sandboxID=sandbox_id)

    def say(self, container_id: str, **info: object) -> None:
        """Let the verbose status of a container say just this."""
        self.infos[container_id] = {"info": json.dumps(info)}

    def remove(self, container_id: str) -> None:
        """Forget a container."""
        del self.containers[container_id]
        self.infos.pop(container_id, None)

    def tell(self) -> None:
        """Tell everybody who listens of an event."""
        for listener in list(self.listeners):
            listener.put(b"\x0a\x00")

    def start(self) -> None:
        """Listen."""
        self._stopped = Event()
        self._server = grpc.server(ThreadPoolExecutor(_THREADS))
        add_RuntimeServiceServicer_to_server(_Servicer(self), self._server)  # type: ignore[no-untyped-call]
        if self.has_events:
            subscribe: grpc.RpcMethodHandler[bytes, bytes]
            subscribe = grpc.unary_stream_rpc_method_handler(self._subscribe)
            handler = grpc.method_handlers_generic_handler(EVENTS, {"Subscribe": subscribe})
            self._server.add_generic_rpc_handlers((handler,))
        self._server.add_insecure_port(f"unix:{self.path}")
        self._server.start()

    def stop(self) -> None:
        """Hang up on everybody, and listen no more."""
        self._stopped.set()
        if self._server:
            self._server.stop(grace=None).wait()
            self._server = None

    def receive(self, method: str, context: grpc.ServicerContext) -> None:
        """Count a call, and deal with it as that method does."""
        self.calls[method] += 1
        match self.manners.get(method, Manners.ANSWERS):
            case Manners.HANGS:
                while context.is_active() and not self._stopped.wait(_POLL_SECONDS):
                    pass
            case Manners.UNIMPLEMENTED:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"unknown method {method}")
            case Manners.FAILS:
                context.abort(grpc.StatusCode.INTERNAL, "something is broken\nhere.")

    def _subscribe(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        self.receive("Subscribe", context)
        listener: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.subscriptions.append(request)
        self.listeners.append(listener)
        try:
            while context.is_active() and not self._stopped.is_set():
                try:
                    yield listener.get(timeout=_POLL_SECONDS)
                except queue.Empty:
                    continue
        finally:
            self.listeners.remove(listener)

    def __enter__(self) -> Self:
        """Listen."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Listen no more."""
        self.stop()


class _Servicer(RuntimeServiceServicer):
    """The methods that are needed; the others do not exist."""

    def __init__(self, server: FakeCriServer) -> None:
        self._server = server

    def Version(  # noqa: N802 - as the protocol names it
        self, _request: cri.VersionRequest, context: grpc.ServicerContext
    ) -> cri.VersionResponse:
        self._server.receive("Version", context)
        return cri.VersionResponse(
            version="0.1.0",
            runtime_name=self._server.runtime,
            runtime_version=self._server.version,
            runtime_api_version="v1",
        )

    def ListPodSandbox(  # noqa: N802
        self, request: cri.ListPodSandboxRequest, context: grpc.ServicerContext
    ) -> cri.ListPodSandboxResponse:
        self._server.receive("ListPodSandbox", context)
        wanted = request.filter.id
        found = [one for one in self._server.sandboxes.values() if wanted in ("", one.id)]
        return cri.ListPodSandboxResponse(items=found)

    def ListContainers(  # noqa: N802
        self, request: cri.ListContainersRequest, context: grpc.ServicerContext
    ) -> cri.ListContainersResponse:
        self._server.receive("ListContainers", context)
        wanted = request.filter.id
        found = [one for one in self._server.containers.values() if wanted in ("", one.id)]
        return cri.ListContainersResponse(containers=found)

    def ContainerStatus(  # noqa: N802
        self, request: cri.ContainerStatusRequest, context: grpc.ServicerContext
    ) -> cri.ContainerStatusResponse:
        self._server.receive("ContainerStatus", context)
        container = self._server.containers.get(request.container_id)
        if container is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such container")
            raise AssertionError
        image = self._server.image_names.get(container.id, container.image.image)
        return cri.ContainerStatusResponse(
            status=cri.ContainerStatus(
                id=container.id, state=container.state, image=cri.ImageSpec(image=image)
            ),
            info=self._server.infos.get(container.id, {}) if request.verbose else {},
        )
