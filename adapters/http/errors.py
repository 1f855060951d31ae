"""The boundary to nodes: whatever goes wrong there becomes `NodeUnreachable`.

The words read on from the name of the node: "does not answer within 10 s".
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from ...domain.model.nodes import Node
from ...ports.errors import NodeUnreachable

CLOSED = "closed the connection before it had answered"
BROKE_OFF = "broke its answer off"
NO_HTTP = "answers with what is no HTTP"


@contextmanager
def node_errors(node: Node, seconds: float) -> Iterator[None]:
    """Turn failures of connections, of HTTP, and of time into words about the node."""
    try:
        yield
    except TimeoutError as error:
        raise NodeUnreachable(f"does not answer within {seconds:g} s") from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise NodeUnreachable(_not_connected(node, error.certificate_error)) from error
    except aiohttp.ClientConnectorError as error:
        raise NodeUnreachable(_not_connected(node, error.os_error)) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NodeUnreachable(_trouble(error)) from error


@contextmanager
def connect_errors(node: Node) -> Iterator[None]:
    """Turn failures of connecting into words; that it takes too long is for `node_errors`."""
    try:
        yield
    except TimeoutError:
        raise
    except (OSError, ssl.CertificateError) as error:
        raise NodeUnreachable(_not_connected(node, error)) from error


def too_large(most_bytes: int) -> str:
    """Say that an answer is larger than it may be."""
    return f"answers with more than {most_bytes // 2**10} KiB"


def _not_connected(node: Node, error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"shows a certificate that cannot be trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"cannot be spoken to by TLS: {error}"
        case socket.gaierror():
            return f"has an address that cannot be looked up: {node.host}"
        case ConnectionRefusedError():
            return f"refuses connections at {node.authority}"
        case ConnectionError():
            return CLOSED
        case _:
            reason = getattr(error, "strerror", None) or error
            return f"cannot be reached at {node.authority}: {reason}"


def _trouble(error: Exception) -> str:
    match error:
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return CLOSED
        case aiohttp.ClientPayloadError():
            return BROKE_OFF
        case aiohttp.ClientResponseError():
            return NO_HTTP
        case _:
            return f"cannot be asked: {error or type(error).__name__}"
