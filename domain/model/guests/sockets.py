"""Where virtual machine monitors of Kata have the sockets of their guests.

The folders are those of both runtimes: Go (`/run/vc`) and Rust (`/run/kata`).
"""

from collections.abc import Sequence

from attrs import frozen

from .peer import GuestSocket

SANDBOX = "{sandbox}"
MONITOR = "{monitor}"


@frozen
class SocketPlace:
    """Folders below a run path, and the socket in the last: `SANDBOX` and `MONITOR` are any name.

    `vmm` names the monitor where no folder does.
    """

    folders: tuple[str, ...]
    name: str
    vmm: str = ""

    def socket(self, path: str, names: Sequence[str]) -> GuestSocket:
        """Say whose a socket is that was found there; `names` are those of its folders."""
        meanings = dict(zip(self.folders, names, strict=True))
        return GuestSocket(
            path=path, sandbox_id=meanings[SANDBOX], vmm=self.vmm or meanings.get(MONITOR, "")
        )


SOCKET_PLACES = (
    SocketPlace(("vc", "vm", SANDBOX), "clh.sock", "cloud-hypervisor"),
    SocketPlace(("vc", MONITOR, SANDBOX, "root"), "kata.hvsock"),
    SocketPlace(("kata", SANDBOX), "ch-vm.sock", "cloud-hypervisor"),
    SocketPlace(("kata", SANDBOX, "root"), "kata.hvsock"),
    SocketPlace(("kata", SANDBOX), "kata.hvsock", "firecracker"),
    SocketPlace(("kata", "firecracker", SANDBOX, "root"), "kata.hvsock", "firecracker"),
    SocketPlace(("kata", SANDBOX), "vsock.sock", "openvmm"),
)
"""Below the folder of a sandbox no name is free: its monitor could claim to be another's."""


def listening_name(name: str, port: int) -> str:
    """Name the socket at which a monitor looks for who takes what its guest sends to a port."""
    return f"{name}_{port}"
