from pathlib import Path

import pytest

from container_tracer.adapters.procfs.virtual_machines import ProcfsVirtualMachines
from container_tracer.fakes.procfs import FakeProcfs
from container_tracer.ports.errors import DiscoveryFailed


async def test_how_virtual_machines_were_started_is_read_and_of_nothing_else(
    tmp_path: Path,
) -> None:
    procfs = FakeProcfs(tmp_path / "proc")
    words = ["/opt/kata/bin/qemu-system-x86_64", "-device", "vhost-vsock-pci,guest-cid=5"]
    procfs.add(10, command="qemu-system-x86", command_line=words)
    procfs.add(11, command="bash", command_line=["guest-cid=5"])
    procfs.add(12, command="qemu-system-x86", command_line=words, state="Z")
    machines = ProcfsVirtualMachines(procfs=procfs.root)
    assert [line.split() for line in await machines.command_lines()] == [words]


async def test_a_procfs_that_is_none_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DiscoveryFailed, match="--procfs-path"):
        await ProcfsVirtualMachines(procfs=tmp_path / "missing").command_lines()
