"""How containers are found on this node, and why so."""

from attrs import frozen


@frozen(kw_only=True)
class DiscoveryChoice:
    """The discovery in use: `name` is `cri` or `procfs`.

    `runtime` says what answers through the CRI and where, `reason` why the CRI is not used; one
    of them is empty.
    """

    name: str
    runtime: str = ""
    reason: str = ""
