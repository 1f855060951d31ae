"""A session follows its selection: what matches later joins it, what ends leaves it."""

from tests.containerd.pods import Pods

from .conftest import Trace
from .marks import NEEDS
from .numbers import EACH, call_out, check_whole, command

pytestmark = NEEDS


def test_a_restarted_container_and_a_new_pod_join_and_are_seen_from_their_first_call(
    pods: Pods, trace: Trace
) -> None:
    entry = "{}; exec sleep 1000"
    pod = pods.run("shop-1")
    web = pod.start("web", "/bin/sleep", "1000")
    session = trace(pod="shop-*", container="web")
    call_out(web, [1_000_000])
    script = entry.format(" ".join(command(2_000_000)))
    again = pods.restart(web, "/bin/sh", "-c", script)
    call_out(again, [3_000_000])
    pod.start("side", *command(4_000_000))
    script = entry.format(" ".join(command(5_000_000)))
    new = pods.run("shop-2").start("web", "/bin/sh", "-c", script)
    call_out(new, [6_000_000])
    pods.run("other").start("web", *command(7_000_000))
    session.wait_for_containers(
        {"shop-1": ["web"], "shop-2": ["web"]}, ended={"shop-1": {"web": 1}}
    )
    seen = session.stop()
    assert seen.names == {("default", "shop-1", "web"), ("default", "shop-2", "web")}
    check_whole(seen.of(web.container_id), [1_000_000])
    check_whole(seen.of(again.container_id), [2_000_000, 3_000_000])
    check_whole(seen.of(new.container_id), [5_000_000, 6_000_000])


def test_the_numbers_of_a_container_that_has_ended_are_kept(pods: Pods, trace: Trace) -> None:
    pod = pods.run("shop")
    web, side = (pod.start(name, "/bin/sleep", "1000") for name in ("web", "side"))
    session = trace("-s lseek", pod="shop")
    for container, first in ((web, 1_000_000), (side, 2_000_000)):
        call_out(container, [first])
    web.stop()
    web.remove()
    session.wait_for_containers({"shop": ["side"]}, ended={"shop": {"web": 1}})
    call_out(side, [3_000_000])
    rows = session.summary_rows(
        lambda rows: sum(row["Count"] for row in rows) == 3 * EACH, "all calls in the summary"
    )
    assert {row["ContainerId"]: row["Count"] for row in rows} == {
        web.container_id: EACH,
        side.container_id: 2 * EACH,
    }
    seen = session.stop()
    assert seen.of(web.container_id).numbers == [1_000_000, 1_000_001]
    assert seen.of(side.container_id).numbers == [2_000_000, 2_000_001, 3_000_000, 3_000_001]
