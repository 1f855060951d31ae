"""The boundary to nodes: whatever goes wrong there becomes `NodeUnreachable`."""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from ...ports.errors import NodeUnreachable


@contextmanager
def node_errors(seconds: float) -> Iterator[None]:
    """Turn failures of connections, of HTTP, and of time into words about the node.

    They read on from its name: "does not answer within 10 s".
    """
    try:
        yield
    except TimeoutError as error:
        raise NodeUnreachable(f"does not answer within {seconds:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NodeUnreachable(_trouble(error)) from error


def _trouble(error: Exception) -> str:  # noqa: PLR0911 - a table of what can happen
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", error.certificate_error)
            return f"shows a certificate that cannot be trusted: {reason}"
        case aiohttp.ClientConnectorDNSError():
            return f"has an address that cannot be looked up: {error.host}"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return f"refuses connections at {error.host}:{error.port}"
        case aiohttp.ClientSSLError():
            return f"cannot be spoken to by TLS: {error}"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached at {error.host}:{error.port}: {error.os_error.strerror}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "closed the connection before it had answered"
        case aiohttp.ClientPayloadError():
            return "broke its answer off"
        case aiohttp.ClientResponseError():
            return "answers with what is no HTTP"
        case _:
            return f"cannot be asked: {error or type(error).__name__}"
