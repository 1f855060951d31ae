"""Many containers, one after the other, are all seen, and cost nothing once they have ended."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.containerd.pods import Pods, RealPod

from .conftest import Node, Trace, wait_for
from .marks import NEEDS
from .numbers import EACH, check_whole, command
from .sessions import sources_of

pytestmark = NEEDS

MANY = 500
WARMING_UP = 100
HALF, OTHER_HALF = range(WARMING_UP, 300), range(300, MANY)
AT_ONCE = 4
MOST_GROWTH_KIB = 4096


def run_to_the_end(pod: RealPod, number: int) -> None:
    container = pod.start(f"short-{number}", *command(1_000_000 + number * EACH))
    wait_for(lambda: container.state == "EXITED", "the container to end")
    container.remove()


def run_many(pod: RealPod, numbers: range) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda number: run_to_the_end(pod, number), numbers))


@pytest.mark.timeout(300)
def test_500_containers_in_a_row_leave_nothing_behind(node: Node, pods: Pods, trace: Trace) -> None:
    pod = pods.run("shop")
    pod.start("web", "/bin/sleep", "1000")
    session = trace(pod="shop")
    run_many(pod, range(WARMING_UP))  # what is made once and kept
    # What is kept of each container grows every time; memory as a whole comes and goes, too.
    grown = [grown_by(node, pod, numbers) for numbers in (HALF, OTHER_HALF)]
    assert {} in grown
    seen = session.stop()
    check_whole(seen, range(1_000_000, 1_000_000 + MANY * EACH, EACH))


def grown_by(node: Node, pod: RealPod, numbers: range) -> dict[str, int]:
    before = holdings(node)
    run_many(pod, numbers)
    return grown_for_good(node, before)


def holdings(node: Node) -> dict[str, int]:
    """Count what a node has: in the kernel, descriptors, threads, and KiB of memory."""
    process = Path(f"/proc/{node.process.pid}")
    status = dict(line.split(":\t") for line in (process / "status").read_text().splitlines())
    return {
        "instances": len(node.instances()),
        "traced tids": len(traced_tids(node)),
        "descriptors": len(list((process / "fd").iterdir())),
        "threads": int(status["Threads"]),
        "memory": int(status["VmRSS"].removesuffix(" kB")),
    }


def traced_tids(node: Node) -> set[int]:
    (source,) = sources_of(node)
    return {int(tid) for tid in (source / "set_event_pid").read_text().split()}


def grown_for_good(node: Node, before: dict[str, int]) -> dict[str, int]:
    """Return what there is more of, and stays, beyond what may always come and go."""
    allowed = {"traced tids": 8, "descriptors": 4, "threads": 4, "memory": MOST_GROWTH_KIB}
    more: dict[str, int] = {}

    def none() -> bool:
        after = holdings(node)
        more.update({name: after[name] - before[name] for name in before})
        return all(more[name] <= allowed.get(name, 0) for name in before)

    with suppress(AssertionError):
        wait_for(none, "what the containers cost to be given back")
    return {name: count for name, count in more.items() if count > allowed.get(name, 0)}
