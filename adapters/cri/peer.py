"""Who listens on a UNIX socket."""

import socket
import struct

_UCRED = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_CONNECT_SECONDS = 1.0


def listener_pid(path: str) -> int:
    """Return the pid of the process that listens; 0 if nobody does, or it cannot be seen.

    The kernel notes it when a program begins to listen, and translates it into this program's pid
    namespace.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(_CONNECT_SECONDS)
            asking.connect(path)
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    except OSError:
        return 0
    pid, _, _ = _UCRED.unpack(credentials)
    return int(pid)
