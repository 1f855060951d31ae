"""What the kernel's refusals mean, in sentences a person can act on."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ...ports.errors import EventUnavailable, TracingUnavailable

_REASONS = {
    errno.EACCES: "permission denied; run as root, with CAP_SYS_ADMIN, outside of lockdown mode",
    errno.EPERM: "the kernel does not permit it; run as root, outside of lockdown mode",
    errno.EROFS: "tracefs is mounted read-only; mount it read-write (mount -o remount,rw PATH)",
    errno.ENOMEM: "the kernel has no memory for it; use smaller buffers (--buffer-kib)",
    errno.ENOENT: "this kernel does not have it, or tracefs is not mounted there any more",
    errno.ENODEV: "the kernel was built or booted without it",
    errno.EMFILE: "too many open files; raise the limit (ulimit -n)",
}


@contextmanager
def tracing_errors(what: str) -> Iterator[None]:
    """Turn an OSError inside the block into `TracingUnavailable`; `what` was being done."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, (error.strerror or str(error)).lower())
        raise TracingUnavailable(f"Cannot {what}: {reason}.") from error


@contextmanager
def event_errors(what: str) -> Iterator[None]:
    """Turn an OSError inside the block into `EventUnavailable`."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EventUnavailable(f"This kernel does not give {what}: {reason}.") from error
