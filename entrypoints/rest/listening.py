"""Sockets to serve on: TCP, or a UNIX socket that only its owner may use."""

import errno
import os
import socket
import stat
import sys
from contextlib import suppress
from pathlib import Path

from ..values import Address, UnixAddress


def listen(address: Address | UnixAddress) -> socket.socket:
    """Bind; raise `OSError`.

    An address without IP is all of them, IPv6 and IPv4 alike where the kernel can.
    """
    if isinstance(address, UnixAddress):
        return _listen_unix(address.path)
    if address.host:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        return socket.create_server((address.host, address.port), family=family)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", address.port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", address.port))


def listen_or_exit(program: str, address: Address | UnixAddress) -> socket.socket:
    """Bind; if that fails, say why in one line on stderr and exit with status 2."""
    try:
        return listen(address)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        print(f"{program}: cannot listen on {address}: {reason}", file=sys.stderr)
        sys.exit(2)


def address_of(listener: socket.socket) -> dict[str, object]:
    """Say where it listens, for the log."""
    if listener.family == socket.AF_UNIX:
        return {"address": f"unix:{listener.getsockname()}"}
    host, port = listener.getsockname()[:2]
    return {"address": host, "port": port}


def release(address: Address | UnixAddress) -> None:
    """Remove what listening left in the file system."""
    if isinstance(address, UnixAddress):
        with suppress(FileNotFoundError):
            address.path.unlink()


def _listen_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        _remove_dead(path)
        listener.bind(str(path))
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _remove_dead(path: Path) -> None:
    """Remove the socket of a server that was killed; nothing else, and none that is in use."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "there is a file of that name")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
