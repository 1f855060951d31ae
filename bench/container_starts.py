"""What it costs to know of a container that begins and ends: CPU time and memory for each.

Containers are cgroups that hold a process for a moment, made one after the other as fast as it
goes. The watch and the inventory are those of a node; a runtime that answers at once stands for
a real one, whose answer takes about 2 ms of its own.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

from container_tracer.adapters.procfs.tasks import ProcfsTaskDirectory
from container_tracer.adapters.system.clock import SystemClock
from container_tracer.adapters.tracefs.tracer import TracefsKernelTracer, TracefsSettings
from container_tracer.domain.model.inventory import InventoryChange
from container_tracer.domain.model.pod import Container
from container_tracer.domain.services.container_watch import ContainerWatch
from container_tracer.domain.services.inventory import PodInventory
from container_tracer.domain.services.upkeep import Upkeep
from container_tracer.fakes.pod_discovery import FakePodDiscovery

from .discovery import unified_cgroups

MAKER = """
import os, sys
top = sys.argv[1]
os.mkdir(top)
for number in range(int(sys.argv[2])):
    cgroup = f"{top}/{number:064x}"
    os.mkdir(cgroup)
    pid = os.fork()
    if pid == 0:
        with open(cgroup + "/cgroup.procs", "w") as members:
            members.write("0")
        os._exit(0)
    os.waitpid(pid, 0)
    while True:
        try:
            os.rmdir(cgroup)
            break
        except OSError:
            pass
os.rmdir(top)
"""


class WillingRuntime(FakePodDiscovery):
    """Knows every container that is made here, and none of others on this machine."""

    async def describe(self, container_id: str) -> Container | None:
        if int(container_id, 16) >> 32:
            return None
        return Container(name=container_id[-8:], pod="bench", container_id=container_id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, default=10_000)
    options = parser.parse_args()
    mount = unified_cgroups()
    if mount is None:
        sys.exit("this needs a cgroup file system of version 2 that can be written to")
    asyncio.run(report(mount / f"bench-starts-{os.getpid()}", options.containers))


async def report(top: Path, count: int) -> None:
    directory, clock = ProcfsTaskDirectory(), SystemClock()
    inventory = PodInventory(discovery=WillingRuntime(), directory=directory, clock=clock)
    tracer = TracefsKernelTracer(TracefsSettings(identity=f"bench-{os.getpid()}"))
    watch = ContainerWatch(tracer=tracer, directory=directory, inventory=inventory, clock=clock)
    seen = {"begun": 0, "ended": 0}

    async def told(change: InventoryChange) -> None:
        seen["begun"] += len(change.begun)
        seen["ended"] += len(change.ended)

    inventory.subscribe(told)
    upkeep = Upkeep(watch=watch, inventory=inventory)
    await upkeep.start()
    try:
        cpu, wall, memory = time.process_time(), time.monotonic(), resident_kib()
        await asyncio.to_thread(make, top, count)
        wall = time.monotonic() - wall
        await last_end(inventory)
        cpu, memory = time.process_time() - cpu, resident_kib() - memory
    finally:
        await upkeep.close()
    print(f"{count} containers in {wall:.1f} s, {count / wall:.0f} a second")
    print(f"seen to begin {seen['begun']}, to end {seen['ended']}, gaps {watch.gaps}")
    print(f"CPU {cpu / count * 1e3:.2f} ms each; memory grew by {memory} KiB in all")


async def last_end(inventory: PodInventory) -> None:
    """Wait until the last containers are known to have ended; give up after a while."""
    deadline = time.monotonic() + 20
    while inventory.numbers().containers and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


def make(top: Path, count: int) -> None:
    subprocess.run([sys.executable, "-I", "-S", "-c", MAKER, top, str(count)], check=True)


def resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


if __name__ == "__main__":
    main()
