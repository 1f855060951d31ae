"""What the component for spans of virtual machines gives tracer-node is what that takes."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from .conftest import Manifest, containers, pods_of

pytestmark = pytest.mark.parametrize("with_component", ["span-forwarder"], indirect=True)

MONITOR_USER = 4711

LISTEN = """
import sys
from pathlib import Path
from contextlib import closing
from container_tracer.adapters.vsock.sandbox_folders import SandboxFolders
from container_tracer.adapters.vsock.socket_file import made_beside
with closing(SandboxFolders(run_paths=[Path(sys.argv[1])], watch=lambda _: None).sockets()) as all:
    made_beside(next(all), 10240)
"""


def listens(run_path: Path, capabilities: Sequence[str]) -> bool:
    """Tell whether root with only these can listen beside the monitor that is there."""
    allowed = ",".join(["-all", *(f"+{one.lower()}" for one in capabilities)])
    command = ["setpriv", f"--bounding-set={allowed}", f"--inh-caps={allowed}", sys.executable]
    done = subprocess.run(
        [*command, "-c", LISTEN, str(run_path)], check=False, capture_output=True, timeout=60
    )
    return done.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to drop")
@pytest.mark.skipif(not shutil.which("setpriv"), reason="there is no setpriv here (util-linux)")
def test_its_capabilities_are_what_listening_beside_a_jailed_monitor_takes(
    with_component: list[Manifest], socket_folder: Path
) -> None:
    given = containers(with_component)["node"]["securityContext"]["capabilities"]["add"]
    jail = socket_folder / "vc/firecracker/box/root"
    jail.mkdir(parents=True)
    socket_folder.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.bind(str(jail / "kata.hvsock"))
    for path in (jail / "kata.hvsock", jail):
        os.chown(path, MONITOR_USER, MONITOR_USER)
    jail.chmod(0o700)
    assert not listens(socket_folder, [one for one in given if one != "CHOWN"])
    assert not listens(socket_folder, [one for one in given if one != "DAC_OVERRIDE"])
    assert [one.name for one in jail.iterdir()] == ["kata.hvsock"]
    assert listens(socket_folder, given)
    assert (jail / "kata.hvsock_10240").stat().st_uid == MONITOR_USER


def test_only_folders_of_monitors_may_be_written_to(with_component: list[Manifest]) -> None:
    node = containers(with_component)["node"]
    (run_path,) = (one["value"] for one in node["env"] if one["name"] == "TRACER_RUN_PATHS")
    volumes = {
        one["name"]: one["hostPath"]
        for one in pods_of(with_component)["node"]["spec"]["volumes"]
        if "hostPath" in one
    }
    writable = {
        one["mountPath"].removeprefix(run_path): volumes[one["name"]]
        for one in node["volumeMounts"]
        if one["mountPath"].startswith(run_path) and not one.get("readOnly")
    }
    assert writable == {
        name: {"path": f"/run{name}", "type": "DirectoryOrCreate"} for name in ("/vc", "/kata")
    }


def test_vsock_is_not_forbidden_to_nodes_and_svc_is_as_before(
    with_component: list[Manifest],
) -> None:
    node, svc = (containers(with_component)[role] for role in ("node", "svc"))
    assert node["securityContext"]["seccompProfile"] == {"type": "Unconfined"}
    assert "seccompProfile" not in svc["securityContext"]
