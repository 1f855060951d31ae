"""Reading small files of the kernel, where a refusal is an answer too."""

import errno
from contextlib import suppress
from pathlib import Path

from ...domain.model.diagnosis.facts import Reading, Refusal

_REFUSALS = {
    errno.ENOENT: Refusal.MISSING,
    errno.ENOTDIR: Refusal.MISSING,
    errno.EACCES: Refusal.DENIED,
    errno.EPERM: Refusal.FORBIDDEN,
}


def reading(path: Path) -> Reading:
    """Read a small file of the kernel, or say why it could not be read."""
    try:
        return Reading(path.read_bytes().decode(errors="replace"))
    except OSError as error:
        return refused(error)


def refused(error: OSError) -> Reading:
    """Turn a failure into a reading."""
    reason = (error.strerror or str(error)).lower()
    return Reading(refusal=_REFUSALS.get(error.errno or 0, Refusal.FAILED), reason=reason)


def names(folder: Path) -> tuple[str, ...]:
    """List a folder in order; nothing if it is not there, or may not be listed."""
    with suppress(OSError):
        return tuple(sorted(one.name for one in folder.iterdir()))
    return ()


def link(path: Path) -> Reading:
    """Read where a link leads."""
    try:
        return Reading(str(path.readlink()))
    except OSError as error:
        return refused(error)
