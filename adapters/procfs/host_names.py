"""Reading the host name of a container, without entering its namespaces."""

from attrs import define, field

from ...domain.model.container_names import host_name_in, host_name_in_environment
from ...domain.model.process import Namespaces
from .files import GONE, read_inside, read_record, read_whole


@define(kw_only=True)
class HostNameReader:
    """Reads host names; lives for one scan, during which the host's own is read once.

    A container's is taken from the environment of its first process, which may have changed it,
    or from its `/etc/hostname`, as nobody outside may ask the kernel for it.
    `host` and `own` are the namespaces of the host and of this process.
    """

    procfs: str
    host_root: str
    host: Namespaces
    own: Namespaces
    _of_host: frozenset[str] | None = field(default=None, init=False)

    def of(self, pid: int, namespaces: Namespaces) -> str:
        """Return the host name where a process runs; empty if that is the host's or unknown."""
        if namespaces.uts and namespaces.uts == self.host.uts:
            return ""
        if self._of_host is None:
            self._of_host = frozenset(self._host_names())
        name = self._from_environment(pid) or self._from_file(pid)
        return "" if name in self._of_host else name

    def _host_names(self) -> list[str]:
        paths = [f"{self.host_root}/etc/hostname"]
        # This file tells of the reader's host name, whoever's procfs it is in.
        if self.own.uts == self.host.uts:
            paths.append(f"{self.procfs}/sys/kernel/hostname")
        names = []
        for path in paths:
            try:
                names.append(host_name_in(read_record(path).decode(errors="replace")))
            except GONE:
                continue
        return names

    def _from_environment(self, pid: int) -> str:
        try:
            return host_name_in_environment(read_whole(f"{self.procfs}/{pid}/environ"))
        except GONE:
            return ""

    def _from_file(self, pid: int) -> str:
        try:
            # A file system of the container's own making could keep a reader waiting for ever.
            if b" - fuse" in read_whole(f"{self.procfs}/{pid}/mountinfo"):
                return ""
            text = read_inside(f"{self.procfs}/{pid}/root", "etc", "hostname", limit=256)
        except OSError:
            # Whatever stands there instead of a plain file, it names nobody.
            return ""
        return host_name_in(text.decode(errors="replace"))
