"""All threads of a traced container are seen, and nothing of a busy neighbour."""

from tests.containerd.fixtures import MakeConversation
from tests.containerd.pods import Pods
from tests.integration.conftest import CALLS_OF_A_ROUND

from .conftest import Trace
from .marks import NEEDS
from .sessions import Seen

pytestmark = NEEDS

THREADS = 64
ROUNDS = 50


def check_rounds(seen: Seen, tids: set[int], rounds: int = ROUNDS) -> None:
    expected = {name: times * rounds for name, times in CALLS_OF_A_ROUND.items()}
    for tid in tids:
        assert seen.calls_of(tid, CALLS_OF_A_ROUND) == expected


def test_threads_from_before_the_session_are_all_seen(
    pods: Pods, trace: Trace, converse: MakeConversation
) -> None:
    talk = converse()
    container = pods.run("shop").start("web", *talk.command(THREADS), mounts=talk.mounts)
    talk.answer()
    (pid,) = container.pids
    before = container.tids
    assert len(before) == THREADS + 1
    session = trace(pod="shop")
    assert talk.tell(f"calls {ROUNDS}") == [THREADS * ROUNDS]
    assert len(talk.tell(f"child {ROUNDS}")) == 3  # of its early threads, the child, its thread
    seen = session.stop()
    assert seen.tids >= before
    assert len(seen.tids - before) == 2
    assert seen.containers == {container.container_id}
    check_rounds(seen, seen.tids - {pid})


def test_nothing_of_a_busy_neighbour_is_seen(
    pods: Pods, trace: Trace, converse: MakeConversation
) -> None:
    """Neither of one in the same pod, nor of another pod."""
    shop, other = pods.run("shop"), pods.run("other")
    talks = {}
    for pod, name in ((shop, "web"), (shop, "side"), (other, "web")):
        talk = talks[pod, name] = converse()
        pod.start(name, *talk.command(threads=2), mounts=talk.mounts)
        talk.answer()
    web, *neighbours = talks.values()
    assert all(talk.tell("spin") == [0] for talk in neighbours)
    session = trace(pod="shop", container="web")
    assert web.tell(f"calls {ROUNDS}") == [2 * ROUNDS]
    seen = session.stop()
    assert all(talk.tell("stop")[0] > 0 for talk in neighbours)
    assert seen.names == {("default", "shop", "web")}
    assert len(seen.tids) == 3
    check_rounds(seen, seen.tids - {min(seen.tids)})
