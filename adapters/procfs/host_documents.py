"""Finding the documents on the host that name its containers."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import define, field

from ...domain.model.container_names import (
    ContainerNames,
    first_said,
    from_docker,
    from_kubelet_log,
    from_oci_bundle,
)
from .files import GONE, names_in, read_whole

# Below a run path: where containerd keeps its state, by itself and inside of distributions.
_CONTAINERD_STATES = (
    "containerd",
    "k3s/containerd",
    "k0s/containerd",
    "docker/containerd/daemon",
)
_BUNDLES = "io.containerd.runtime.v2.task"
_STORAGE = "containers/storage/overlay-containers"


@define
class HostDocuments:
    """Looks containers up by id; lives for one scan, during which folders are listed once.

    `host_root` is where the host's root folder can be seen. A run path is used as it is given.
    """

    host_root: str
    run_paths: tuple[Path, ...]
    _bundle_folders: list[str] | None = field(default=None, init=False)
    _log_names: dict[str, ContainerNames] | None = field(default=None, init=False)

    def names_of(self, container_id: str) -> ContainerNames:
        """Put together what all documents say of a container."""
        return first_said(self._sources(container_id))

    def _sources(self, container_id: str) -> Iterator[ContainerNames]:
        yield from self._bundles(container_id)
        docker = f"{self.host_root}/var/lib/docker/containers/{container_id}/config.v2.json"
        yield from _parsed(docker, from_docker)
        if self._log_names is None:
            self._log_names = dict(self._kubelet_logs())
        if container_id in self._log_names:
            yield self._log_names[container_id]

    def _bundles(self, container_id: str) -> Iterator[ContainerNames]:
        if self._bundle_folders is None:
            self._bundle_folders = list(self._containerd_namespaces())
        for folder in self._bundle_folders:
            yield from _parsed(f"{folder}/{container_id}/config.json", from_oci_bundle)
        for run_path in self.run_paths:
            bundle = f"{run_path}/{_STORAGE}/{container_id}/userdata/config.json"
            yield from _parsed(bundle, from_oci_bundle)

    def _containerd_namespaces(self) -> Iterator[str]:
        # /var/run is mostly a link to /run: what is one folder is read once.
        states = {
            os.path.realpath(f"{run_path}/{state}/{_BUNDLES}"): None
            for run_path in self.run_paths
            for state in _CONTAINERD_STATES
        }
        for state in states:
            yield from (f"{state}/{namespace}" for namespace in sorted(_listed(state)))

    def _kubelet_logs(self) -> Iterator[tuple[str, ContainerNames]]:
        for file_name in _listed(f"{self.host_root}/var/log/containers"):
            found = from_kubelet_log(file_name)
            if found:
                yield found


def _listed(folder: str) -> list[str]:
    try:
        return names_in(folder)
    except GONE:
        return []


def _parsed(path: str, parse: Callable[[bytes], ContainerNames]) -> Iterator[ContainerNames]:
    try:
        document = read_whole(path)
    except GONE:
        return
    yield parse(document)
