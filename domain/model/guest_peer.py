"""Who is at the other end of a connection from a virtual machine."""

from typing import TypeAlias

from attrs import frozen


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
