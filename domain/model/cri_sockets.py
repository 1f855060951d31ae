"""Where container runtimes listen for those who speak the CRI."""

from collections.abc import Iterator, Sequence

BELOW_RUN = (
    "containerd/containerd.sock",
    "crio/crio.sock",
    "cri-dockerd.sock",
    "k3s/containerd/containerd.sock",  # RKE2 listens there, too
    "k0s/containerd.sock",
    "dockershim.sock",
    "docker/containerd/containerd.sock",
)
"""Sockets below a folder like `/run`, the likeliest first; minikube has the first three."""

OF_HOST = ("/var/snap/microk8s/common/run/containerd.sock",)
"""Sockets elsewhere on the host: snaps keep theirs to themselves."""

LONGEST_PATH = 107
"""Bytes of the path of a UNIX socket (unix(7))."""


def candidate_sockets(run_paths: Sequence[str], *, host_root: str = "") -> Iterator[str]:
    """List paths where a socket may be, the likeliest first.

    Run paths are used as they are given and, where the host's root folder is not this program's,
    below that too.
    """
    roots = [*run_paths, *(f"{host_root}{path}" for path in run_paths if host_root)]
    for name in BELOW_RUN:
        yield from (f"{root}/{name}" for root in roots)
    yield from (f"{host_root}{path}" for path in OF_HOST)


def endpoint_path(text: str) -> str:
    """Return the path of an endpoint as people write it, with or without `unix://`.

    Raises `ValueError` for what names no UNIX socket.
    """
    path = text.strip()
    for scheme in ("unix://", "unix:"):
        path = path.removeprefix(scheme)
    if not path.startswith("/") or not path.isprintable():
        raise ValueError(f"{text!r} is no CRI socket; write unix:///PATH or /PATH")
    if len(path.encode()) > LONGEST_PATH:
        raise ValueError(f"{text!r} is too long for a socket: {LONGEST_PATH} bytes at most")
    return path
