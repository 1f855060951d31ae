import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from container_tracer.adapters.cri.discovery import CriPodDiscovery
from container_tracer.adapters.cri.peer import listener_pid
from container_tracer.adapters.cri.runtimes import CriRuntimes
from container_tracer.fakes.cri_server import FakeCriServer


def bind(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.fixture
def runtimes(socket_folder: Path) -> CriRuntimes:
    folder = socket_folder
    (folder / "var").symlink_to(folder / "run")
    return CriRuntimes(procfs=folder / "proc", run_paths=(folder / "run", folder / "var"))


async def test_sockets_are_found_once_the_likeliest_first(
    runtimes: CriRuntimes, socket_folder: Path
) -> None:
    run = socket_folder / "run"
    bind(run / "k3s/containerd/containerd.sock")
    bind(run / "containerd/containerd.sock")
    (run / "crio").mkdir()
    (run / "crio/crio.sock").touch()  # a file that only has the name
    assert await runtimes.endpoints() == (
        str(run / "containerd/containerd.sock"),
        str(run / "k3s/containerd/containerd.sock"),
    )


async def test_those_of_the_host_are_found_below_its_root(
    runtimes: CriRuntimes, socket_folder: Path
) -> None:
    root = socket_folder / "proc/1/root"
    bind(root / "var/snap/microk8s/common/run/containerd.sock")
    (found,) = await runtimes.endpoints()
    assert found == f"{root}/var/snap/microk8s/common/run/containerd.sock"


async def test_a_given_endpoint_is_the_only_one_even_if_it_is_not_there() -> None:
    assert await CriRuntimes(endpoint="/none.sock").endpoints() == ("/none.sock",)


async def test_a_runtime_is_opened_without_a_word(server: FakeCriServer) -> None:
    runtime = CriRuntimes().open(str(server.path))
    assert isinstance(runtime, CriPodDiscovery)
    await runtime.close()
    assert not server.calls


def test_who_listens_is_known_by_pid(server: FakeCriServer, socket_folder: Path) -> None:
    assert listener_pid(str(server.path)) == os.getpid()
    bind(socket_folder / "left.sock")
    assert listener_pid(str(socket_folder / "left.sock")) == 0


def test_looking_for_runtimes_loads_nothing_to_talk_to_them() -> None:
    program = """
import sys
import container_tracer.adapters.cri.runtimes
print([name for name in ("grpc", "cri_api", "google.protobuf") if name in sys.modules])
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
