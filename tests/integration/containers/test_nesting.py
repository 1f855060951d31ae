"""What is in a container in a container, or shares its names with others, is told apart."""

from pathlib import Path

from tests.containerd.fixtures import MakeConversation
from tests.containerd.pods import Pods

from .conftest import Trace
from .marks import NEEDS
from .numbers import EACH, call_out, check_whole, command

pytestmark = NEEDS

THREADS = 2
ROUNDS = 50
NEST = "unshare -p -f unshare -p -f"
"""Two pid namespaces, one in the other."""


def test_processes_in_two_nested_pid_namespaces_are_the_containers(
    pods: Pods, trace: Trace, converse: MakeConversation
) -> None:
    """Be they from before the session or run later; in both containers they have the same pids."""
    pod, containers, talks = pods.run("shop", privileged=True), {}, {}
    for name in ("web", "side"):
        talk = talks[name] = converse()
        nested = talk.command(THREADS, prefix=NEST)
        containers[name] = pod.start(name, *nested, mounts=talk.mounts)
        assert talk.answer() == [0]
    session = trace(pod="shop", container="web")
    for name, first in (("web", 1_000_000), ("side", 2_000_000)):
        assert talks[name].tell(f"calls {ROUNDS}") == [THREADS * ROUNDS]
        call = f"{NEST} {' '.join(command(first))}"
        assert containers[name].run("/bin/sh", "-c", f"{call}; {call}").exit_code == 0
    seen = session.stop()
    assert seen.containers == {containers["web"].container_id}
    check_whole(seen, [1_000_000, 1_000_000])
    of_threads = [span for span in seen.spans if span["command"] == "workload"]
    assert sum(span["name"] == "getppid" for span in of_threads) == THREADS * ROUNDS


def test_what_moves_to_a_cgroup_below_its_containers_stays_its_own(
    pods: Pods, trace: Trace
) -> None:
    pod = pods.run("shop", privileged=True)
    mounts = {"/cgroups": Path("/sys/fs/cgroup")}
    web = pod.start("web", "/bin/sleep", "1000", mounts=mounts)
    session = trace(pod="shop")
    below = f"/cgroups/*{pod.cgroup}/{web.container_id}"
    inner = f"for one in {below}; do mkdir $one/inner; echo $$ > $one/inner/cgroup.procs; done"
    call = " ".join(command(1_000_000))
    assert web.run("/bin/sh", "-c", f"{inner}; {call}; exec {call}").exit_code == 0
    seen = session.stop()
    assert seen.containers == {web.container_id}
    check_whole(seen, [1_000_000, 1_000_000])


def test_containers_of_a_pod_with_one_pid_namespace_are_told_apart(
    pods: Pods, trace: Trace
) -> None:
    firsts = {"web": 1_000_000, "side": 2_000_000}
    for pid_mode in ("POD", "NODE"):
        pod = pods.run(f"shop-{pid_mode.lower()}", pid_mode=pid_mode)
        containers = {name: pod.start(name, "/bin/sleep", "1000") for name in firsts}
        session = trace(pod=pod.name, container="web")
        for name, first in firsts.items():
            call_out(containers[name], range(first, first + 5 * EACH, EACH))
        seen = session.stop()
        assert seen.names == {("default", pod.name, "web")}
        check_whole(seen, range(1_000_000, 1_000_000 + 5 * EACH, EACH))


def test_two_pods_of_one_name_are_told_apart_by_namespace(pods: Pods, trace: Trace) -> None:
    firsts = {"blue": 1_000_000, "green": 2_000_000}
    containers = {
        namespace: pods.run("shop", namespace=namespace).start("web", "/bin/sleep", "1000")
        for namespace in firsts
    }
    one, both = trace(pod="shop", namespace="blue"), None
    for namespace, first in firsts.items():
        call_out(containers[namespace], [first])
    seen = one.stop()
    assert seen.names == {("blue", "shop", "web")}
    check_whole(seen, [firsts["blue"]])
    both = trace(pod="shop")
    for namespace, first in firsts.items():
        call_out(containers[namespace], [first])
    seen = both.stop()
    for namespace, first in firsts.items():
        mine = seen.of(containers[namespace].container_id)
        assert mine.names == {(namespace, "shop", "web")}
        check_whole(mine, [first])
