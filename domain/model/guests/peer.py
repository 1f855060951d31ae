"""Who is at the other end of a connection from a virtual machine."""

import re
from collections.abc import Iterable
from typing import TypeAlias

from attrs import frozen

from ..process import kata_sandbox

# QEMU's device vhost-vsock-pci and its like; StratoVirt has the same words.
_GUEST_CID = re.compile(r"\bguest-cid=([0-9]{1,10})\b")


@frozen(kw_only=True)
class GuestSocket:
    """A UNIX socket to which a virtual machine monitor passes what its guest sends to a port.

    `path` is where the monitor looks for it. The place tells the sandbox, and the monitor by the
    name of its program or of its kind.
    """

    path: str
    sandbox_id: str
    vmm: str = ""

    def __str__(self) -> str:
        """Write it for people."""
        return self.path


@frozen
class GuestCid:
    """The number that a virtual machine has on the host's VSOCK; another may get it later."""

    cid: int

    def __str__(self) -> str:
        """Write it for people."""
        return f"vsock:{self.cid}"


GuestAddress: TypeAlias = GuestSocket | GuestCid


@frozen(kw_only=True)
class GuestPeer:
    """A virtual machine that is connected: `address` is for people.

    `sandbox_id` is that of its sandbox, empty if nobody knows; so is `vmm`, the program it runs in.
    """

    address: str
    sandbox_id: str = ""
    vmm: str = ""

    @property
    def name(self) -> str:
        """What tells it from others: the id of its sandbox, or else its address."""
        return self.sandbox_id or self.address


def peer_by_cid(cid: GuestCid, command_lines: Iterable[str]) -> GuestPeer:
    """Find the virtual machine that was started with this number.

    Anyone may start a program that claims to have it: where several do, none is believed.
    """
    claims = [line for line in command_lines if _claims(line, cid.cid)]
    if len(claims) != 1:
        return GuestPeer(address=str(cid))
    program = claims[0].partition(" ")[0].rpartition("/")[2]
    return GuestPeer(address=str(cid), sandbox_id=kata_sandbox(claims[0]), vmm=program)


def _claims(command_line: str, cid: int) -> bool:
    return any(int(number) == cid for number in _GUEST_CID.findall(command_line))
