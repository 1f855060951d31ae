"""What documents on the host say of a container: its names, image and labels.

Each reader takes a document of one origin and returns what it says, which may be nothing.
"""

import json
import re
from collections.abc import Iterable, Mapping

from attrs import evolve, field, fields, frozen

from .kata import is_kata_handler

# /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log, made by the kubelet. None of the three names
# may hold an underscore (RFC 1123), and the id holds no dash.
_KUBELET_LOG = re.compile(
    r"(?P<pod>[^_]+)_(?P<namespace>[^_]+)_(?P<container>[^_]+)-(?P<id>[0-9a-f]{64})\.log"
)

_LONGEST_HOST_NAME = 253  # RFC 1123


@frozen(kw_only=True)
class ContainerNames:
    """Names of a container, empty where unknown.

    `kind` is `container` or `sandbox` where a Kubernetes runtime says so. `vm` says that its
    processes run in a virtual machine.
    """

    container: str = ""
    pod: str = ""
    namespace: str = ""
    pod_uid: str = ""
    image: str = ""
    labels: Mapping[str, str] = field(factory=dict)
    runtime: str = ""
    kind: str = ""
    vm: bool = False


def first_said(sources: Iterable[ContainerNames]) -> ContainerNames:
    """Put together what several documents say; for each field the first that says it counts."""
    merged = ContainerNames()
    for source in sources:
        missing = {
            known.name: getattr(source, known.name)
            for known in fields(ContainerNames)
            if not getattr(merged, known.name)
        }
        merged = evolve(merged, **missing)
    return merged


def from_kubelet_log(file_name: str) -> tuple[str, ContainerNames] | None:
    """Read a link name of `/var/log/containers`: the container id, and its names."""
    found = _KUBELET_LOG.fullmatch(file_name)
    if not found:
        return None
    return found["id"], ContainerNames(
        container=found["container"], pod=found["pod"], namespace=found["namespace"]
    )


def from_oci_bundle(document: bytes) -> ContainerNames:
    """Read the annotations in the `config.json` of an OCI bundle.

    containerd's CRI writes `io.kubernetes.cri.*`, CRI-O `io.kubernetes.*` and
    `io.kubernetes.cri-o.*`; other runtimes write none that name a container.
    """
    notes = _texts(_object(document).get("annotations"))
    return first_said((_from_cri_containerd(notes), _from_cri_o(notes)))


def from_docker(document: bytes) -> ContainerNames:
    """Read Docker's `config.v2.json`; cri-dockerd and dockershim leave Kubernetes names there."""
    whole = _object(document)
    config = whole.get("Config")
    config = config if isinstance(config, dict) else {}
    labels = _texts(config.get("Labels"))
    name = whole.get("Name")
    image = config.get("Image")
    kind = labels.get("io.kubernetes.docker.type", "")
    return first_said(
        (
            evolve(_from_kubelet(labels), kind="sandbox" if kind == "podsandbox" else kind),
            ContainerNames(
                container=name.removeprefix("/") if isinstance(name, str) else "",
                image=image if isinstance(image, str) else "",
                labels=labels,
                runtime="docker",
            ),
        )
    )


def host_name_in(text: str) -> str:
    """Take a text as a host name that people can use, or nothing if it cannot be one."""
    name = text.strip()
    usable = name.isprintable() and len(name) <= _LONGEST_HOST_NAME and "/" not in name
    return name if usable and len(name.split()) == 1 else ""


def host_name_in_environment(environment: bytes) -> str:
    """Find `HOSTNAME`, which runtimes set, in `/proc/PID/environ`; empty if it is not there."""
    for variable in environment.split(b"\0"):
        if variable.startswith(b"HOSTNAME="):
            return host_name_in(variable.removeprefix(b"HOSTNAME=").decode(errors="replace"))
    return ""


def _from_cri_containerd(notes: Mapping[str, str]) -> ContainerNames:
    def said(key: str) -> str:
        return notes.get(f"io.kubernetes.cri.{key}", "")

    kind = said("container-type")
    return ContainerNames(
        container=said("container-name"),
        pod=said("sandbox-name"),
        namespace=said("sandbox-namespace"),
        pod_uid=said("sandbox-uid"),
        image=said("image-name"),
        runtime="containerd" if kind else "",
        kind=kind,
        vm=is_kata_handler(notes.get("io.containerd.cri.runtime-handler", "")),
    )


def _from_cri_o(notes: Mapping[str, str]) -> ContainerNames:
    def said(key: str) -> str:
        return notes.get(f"io.kubernetes.cri-o.{key}", "")

    kind = said("ContainerType")
    podman = notes.get("io.container.manager") == "libpod"
    return evolve(
        _from_kubelet(notes),
        image=said("ImageName") or said("Image"),
        labels=_texts(_object(said("Labels").encode())),
        runtime="podman" if podman else "cri-o" if kind else "",
        kind=kind,
        vm=is_kata_handler(said("RuntimeHandler")),
    )


def _from_kubelet(labels: Mapping[str, str]) -> ContainerNames:
    """Read the labels that a kubelet puts on every container it asks for."""

    def said(key: str) -> str:
        return labels.get(f"io.kubernetes.{key}", "")

    return ContainerNames(
        container=said("container.name"),
        pod=said("pod.name"),
        namespace=said("pod.namespace"),
        pod_uid=said("pod.uid"),
    )


def _object(document: bytes) -> Mapping[str, object]:
    """Parse JSON; whatever is no object, being half written for example, says nothing."""
    try:
        whole = json.loads(document)
    except (ValueError, RecursionError):
        return {}
    return whole if isinstance(whole, dict) else {}


def _texts(mapping: object) -> dict[str, str]:
    if not isinstance(mapping, dict):
        return {}
    return {key: value for key, value in mapping.items() if isinstance(value, str)}
