"""Commands run in a traced container, as `kubectl exec` does, are seen from their first call on."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.containerd.pods import Pods

from .conftest import Trace
from .marks import NEEDS
from .numbers import EACH, WHOLE, call_out, check_whole

pytestmark = NEEDS

EXECS = 200


def test_200_execs_back_to_back_are_all_seen_and_the_neighbours_are_not(
    pods: Pods, trace: Trace
) -> None:
    pod = pods.run("shop")
    web, side = (pod.start(name, "/bin/sleep", "1000") for name in ("web", "side"))
    session = trace(pod="shop", container="web")
    mine = range(1_000_000, 1_000_000 + EXECS * EACH, EACH)
    others = range(2_000_000, 2_000_000 + EXECS // 4 * EACH, EACH)
    with ThreadPoolExecutor(3) as threads:
        jobs = [threads.submit(call_out, web, half) for half in (mine[::2], mine[1::2])]
        jobs.append(threads.submit(call_out, side, others))
        for job in jobs:
            job.result()
    seen = session.stop()
    assert seen.containers == {web.container_id}
    check_whole(seen, mine)
    commands = Counter(span["command"] for span in seen.spans if span["name"] != "execve")
    assert commands == {"numbers": EXECS * (len(WHOLE) - 1)}  # and nothing of what started them


def test_the_execs_of_two_containers_are_told_apart(pods: Pods, trace: Trace) -> None:
    pod = pods.run("shop")
    containers = [pod.start(name, "/bin/sleep", "1000") for name in ("web", "side")]
    session = trace(pod="shop")
    firsts = [range(start, start + 20 * EACH, EACH) for start in (1_000_000, 2_000_000)]
    with ThreadPoolExecutor(2) as threads:
        for job in [threads.submit(call_out, *one) for one in zip(containers, firsts, strict=True)]:
            job.result()
    seen = session.stop()
    assert seen.containers == {one.container_id for one in containers}
    for container, mine in zip(containers, firsts, strict=True):
        check_whole(seen.of(container.container_id), mine)
