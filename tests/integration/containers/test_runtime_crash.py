"""A session goes on, and loses nothing, when the runtime crashes and is started again."""

from tests.containerd.daemon import Containerd
from tests.containerd.fixtures import MakeConversation
from tests.containerd.pods import Pods
from tests.integration.conftest import CALLS_OF_A_ROUND

from .conftest import Node, Trace
from .marks import NEEDS
from .numbers import EACH, call_out, check_whole, command

pytestmark = NEEDS

THREADS = 4
ROUNDS = 100


def test_nothing_is_lost_and_what_comes_later_is_seen(
    containerd: Containerd, pods: Pods, node: Node, trace: Trace, converse: MakeConversation
) -> None:
    talk, firsts = converse(), range(1_000_000, 1_000_000 + 40 * EACH, EACH)
    pod = pods.run("shop")
    web = pod.start("web", *talk.command(THREADS), mounts=talk.mounts)
    talk.answer()
    session = trace(pod="shop")
    call_out(web, firsts[:20])
    assert talk.tell("spin") == [0]
    containerd.kill()
    assert session.describe()["State"] == "running"
    containerd.start()
    (rounds,) = talk.tell("stop")
    call_out(web, firsts[20:])
    late = pod.start("late", *command(2_000_000))
    session.wait_for_containers({"shop": ["web"]}, ended={"shop": {"late": 1}})
    seen = session.stop()
    check_whole(seen.of(web.container_id), firsts)
    check_whole(seen.of(late.container_id), [2_000_000])
    made = sum(span["name"] == "getppid" for span in seen.spans)
    assert made == rounds * CALLS_OF_A_ROUND["getppid"]
    assert "shop" in node.ask("GET", "/v1/pods")[1]
