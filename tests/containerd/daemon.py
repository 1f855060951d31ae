"""A containerd of one's own: real, private, and gone without a trace when it is stopped."""

import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import grpc
from attrs import define, field
from cri_api.v1.api_pb2 import VersionRequest
from cri_api.v1.api_pb2_grpc import RuntimeServiceStub

from .images import PAUSE, write_images
from .leftovers import (
    end_processes,
    processes_about,
    processes_below,
    remove_cgroup,
    unmount_below,
)

NAMESPACE = "k8s.io"
RECONNECT_AT_ONCE = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 50),
)
"""A runtime that was killed and started again is wanted at once, not after a back-off."""
_RUNNING = ("containerd", "containerd-shim-runc-v2", "runc")
_MOST_SECONDS = 20
_SETTINGS = """
version = 2
root = "{folder}/root"
state = "{folder}/run/containerd"
[grpc]
  address = "{folder}/c.sock"
[ttrpc]
  address = "{folder}/c.sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  # Else runc lowers the sandbox's score, which takes CAP_SYS_RESOURCE.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "{folder}/runc"
    # By its name it is one that runs virtual machines.
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata-runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata-runc.options]
        SystemdCgroup = false
        Root = "{folder}/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{folder}/cni"
    conf_dir = "{folder}/cni"
"""


@define(eq=False)
class Containerd:
    """A containerd in `folder`; its containers are in cgroups below `cgroup`.

    It lives from `start` to `stop`. In between it may be killed and started again; containers
    live on meanwhile.
    """

    folder: Path
    cgroup: str
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def socket(self) -> Path:
        return self.folder / "c.sock"

    @property
    def endpoint(self) -> str:
        return f"unix://{self.socket}"

    @property
    def run_path(self) -> Path:
        """What `/run` is to the containerd of a machine."""
        return self.folder / "run"

    @property
    def log(self) -> str:
        return (self.folder / "containerd.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def install(self) -> None:
        """Write the settings, start, and give it its images."""
        snapshotter = "native" if _is_overlay(self.folder) else "overlayfs"
        settings = _SETTINGS.format(folder=self.folder, pause=PAUSE, snapshotter=snapshotter)
        (self.folder / "config.toml").write_text(settings)
        self.start()
        for archive in write_images(self.folder):
            self._ctr("images", "import", "--snapshotter", snapshotter, str(archive))

    def start(self) -> None:
        """Start it, and wait until its CRI answers."""
        command = ["containerd", "--config", str(self.folder / "config.toml")]
        with (self.folder / "containerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _MOST_SECONDS
        with grpc.insecure_channel(self.endpoint, RECONNECT_AT_ONCE) as channel:
            while not _serves(channel):
                assert self._process.poll() is None, self.log[-2000:]
                assert time.monotonic() < deadline, self.log[-2000:]
                time.sleep(0.01)

    def kill(self) -> None:
        """End it as a crash does. Its containers and their shims live on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(_MOST_SECONDS)

    def stop(self) -> None:
        """End it and all its containers, and remove everything, in whatever state they are."""
        if self._process and self._process.poll() is None:
            self.kill()
        end_processes(lambda: processes_about(_RUNNING, self.folder))
        end_processes(lambda: processes_below(self.cgroup))
        unmount_below(self.folder)
        remove_cgroup(self.cgroup)
        for shim in self._shim_sockets():
            shim.unlink(missing_ok=True)
        shutil.rmtree(self.folder)

    def _ctr(self, *arguments: str) -> None:
        command = ["ctr", "--address", str(self.socket), "--namespace", NAMESPACE, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)

    def _shim_sockets(self) -> set[Path]:
        """Find those of shims that were killed: they are outside of the folder."""
        bundles = self.run_path / "containerd/io.containerd.runtime.v2.task" / NAMESPACE
        addresses = [one.read_text().strip() for one in bundles.glob("*/address")]
        return {Path(address.removeprefix("unix://")) for address in addresses}


def runtime_at(channel: grpc.Channel) -> Any:
    """Return the stub of a runtime; its package has types for messages only."""
    return RuntimeServiceStub(channel)  # type: ignore[no-untyped-call]


def _serves(channel: grpc.Channel) -> bool:
    """Tell whether a runtime serves its CRI: it listens some time before that."""
    try:
        runtime_at(channel).Version(VersionRequest(), timeout=1)
    except grpc.RpcError:
        return False
    return True


def _is_overlay(folder: Path) -> bool:
    """Tell whether a folder is on an overlay, which cannot carry another one."""
    command = ["stat", "--file-system", "--format", "%T", str(folder)]
    return "overlay" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
