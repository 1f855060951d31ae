"""Names of the errors a call can return."""

from collections.abc import Mapping
from errno import errorcode
from types import MappingProxyType

from .spans import MAX_ERRNO

ERRNO_NAMES: Mapping[int, str] = MappingProxyType(
    dict(errorcode)
    # Numbers with two names go by the one in include/uapi/asm-generic/errno.h that has a number.
    | {11: "EAGAIN", 35: "EDEADLK", 95: "EOPNOTSUPP"}
    # include/linux/errno.h: never seen by programs, but by whoever looks at the kernel itself.
    | {
        512: "ERESTARTSYS",
        513: "ERESTARTNOINTR",
        514: "ERESTARTNOHAND",
        515: "ENOIOCTLCMD",
        516: "ERESTART_RESTARTBLOCK",
        517: "EPROBE_DEFER",
        518: "EOPENSTALE",
        519: "ENOPARAM",
        521: "EBADHANDLE",
        522: "ENOTSYNC",
        523: "EBADCOOKIE",
        524: "ENOTSUPP",
        525: "ETOOSMALL",
        526: "ESERVERFAULT",
        527: "EBADTYPE",
        528: "EJUKEBOX",
        529: "EIOCBQUEUED",
        530: "ERECALLCONFLICT",
        531: "ENOGRACE",
    }
)
"""By positive number."""


def errno_name(result: int) -> str:
    """Name the error a result stands for: -2 is `ENOENT`, an unnamed -600 is `errno 600`.

    A result that is no error (include/linux/err.h) has no name: the empty string.
    """
    if not -MAX_ERRNO <= result < 0:
        return ""
    return ERRNO_NAMES.get(-result, f"errno {-result}")
