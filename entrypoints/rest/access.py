"""Settings become an access control and a gate, the same for every role."""

import socket
from ipaddress import ip_address
from pathlib import Path

import structlog

from ...adapters.tokens.access_control import TokenFileAccessControl
from ...adapters.tokens.file import TokenFile
from ...domain.services.open_access import OpenAccess
from ...domain.services.reviewed_access import ReviewedAccessControl
from ...ports.access_control import AccessControl
from ...ports.clock import Clock
from ..access_settings import AccessSettings
from ..values import Address, UnixAddress
from .gate import Gate, request_rates


def access_control(settings: AccessSettings, clock: Clock) -> AccessControl:
    """Let a file or a cluster decide, or nobody; raise `OSError` or `InvalidTokens`."""
    if settings.kubernetes:
        return _kubernetes(settings, clock)
    if not settings.token_file:
        return OpenAccess()
    file = TokenFile(Path(settings.token_file))
    file.load()
    return TokenFileAccessControl(file=file, clock=clock)


def _kubernetes(settings: AccessSettings, clock: Clock) -> AccessControl:
    # Few need it, and its library takes a while to load.
    from ...adapters.kubernetes.access_reviews import KubernetesAccessReviews  # noqa: PLC0415
    from ...adapters.kubernetes.settings import KubernetesSettings  # noqa: PLC0415

    reviews = KubernetesAccessReviews(
        settings=KubernetesSettings(kubeconfig=settings.kubeconfig), audience=settings.audience
    )
    return ReviewedAccessControl(reviews=reviews, clock=clock)


def gate(access: AccessControl, *, address: Address | UnixAddress, request_rate: int) -> Gate:
    """Make the gate of a server that listens on an address."""
    return Gate(access=access, rates=request_rates(request_rate), local=_is_local(address))


def warn_if_open(gate: Gate, listener: socket.socket, role: str, harm: str) -> None:
    """Say loudly that nobody is asked who he is, where others than this machine may ask."""
    local = listener.family == socket.AF_UNIX
    if gate.open and not local and not ip_address(listener.getsockname()[0]).is_loopback:
        structlog.get_logger().warning(
            f"{role}.open",
            meaning=f"anybody who reaches this address can {harm} as root;"
            " listen on 127.0.0.1, ask for tokens with --auth-token-file or --auth-kubernetes,"
            " or keep others out with a network policy",
        )


def _is_local(address: Address | UnixAddress) -> bool:
    if isinstance(address, UnixAddress) or not address.host:
        return False
    return ip_address(address.host).is_loopback
