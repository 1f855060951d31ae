"""Mounts, out of `/proc/PID/mountinfo` (proc_pid_mountinfo(5))."""

from collections.abc import Iterator

from attrs import frozen

_PLACE_FIELDS, _KIND_FIELDS = 6, 3


@frozen(kw_only=True)
class Mount:
    """Something mounted: where, of what kind, and with which options (of mount and of kind)."""

    point: str
    kind: str
    options: frozenset[str]

    def option(self, name: str) -> str:
        """Return the value of an option `name=value`, or the empty string."""
        values = (one.partition("=") for one in sorted(self.options))
        return next((value for key, _, value in values if key == name), "")


def parse_mounts(mountinfo: str) -> Iterator[Mount]:
    """Read every line that is whole."""
    for line in mountinfo.splitlines():
        place, _, what = line.partition(" - ")
        fields, kind = place.split(), what.split()
        if len(fields) >= _PLACE_FIELDS and len(kind) >= _KIND_FIELDS:
            options = frozenset([*fields[5].split(","), *kind[2].split(",")])
            yield Mount(point=fields[4], kind=kind[0], options=options)
