"""What comes into a container without its runtime is found as soon as it is there."""

import subprocess

from tests.containerd.pods import Pods

from .conftest import Trace
from .marks import NEEDS

pytestmark = NEEDS

FOUND_SECONDS = 3


def test_a_process_moved_by_hand_is_seen_from_when_it_is_found(pods: Pods, trace: Trace) -> None:
    pod = pods.run("shop")
    web, side = (pod.start(name, "/bin/sleep", "1000") for name in ("web", "side"))
    session = trace(pod="shop", container="web")
    for container, program in ((web, "true"), (side, "false")):
        own = f"{pod.cgroup}/{container.container_id}/cgroup.procs"
        everywhere = f"/sys/fs/cgroup{own} /sys/fs/cgroup/*{own}"
        move = f"for one in {everywhere}; do test -e $one && echo $$ > $one; done"
        wait = f"sleep {FOUND_SECONDS}"
        subprocess.run(["sh", "-c", f"{move}; {wait}; exec {program}"], timeout=60, check=False)
    seen = session.stop()
    assert seen.containers == {web.container_id}
    commands = [span["command"] for span in seen.spans]
    assert {"sleep", "true"} <= set(commands)
    assert "false" not in commands
    ends = [span for span in seen.spans if span["command"] == "true"]
    assert ends[-1]["name"] == "exit_group"
