"""What the tracefs adapter does to a real kernel, and says where it cannot."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from container_tracer.adapters.tracefs import instance as instance_module
from container_tracer.adapters.tracefs.tracer import TracefsKernelTracer, TracefsSettings
from container_tracer.domain.model.task_events import TASK_EVENTS
from container_tracer.ports.errors import EventUnavailable, TracingUnavailable
from container_tracer.ports.kernel_tracer import SourceSettings

pytestmark = pytest.mark.kernel

TRACEFS = Path("/sys/kernel/tracing")
INSTANCES = TRACEFS / "instances"
EVENTS = frozenset({"syscalls:sys_enter_getppid", "syscalls:sys_exit_getppid", *TASK_EVENTS})

# Says what happens to somebody who wants to trace, in the words a person would get.
ATTEMPT = """
import os, sys
from pathlib import Path
from container_tracer.adapters.tracefs.tracer import TracefsKernelTracer, TracefsSettings
from container_tracer.ports.errors import PortError
from container_tracer.ports.kernel_tracer import SourceSettings
tracer = TracefsKernelTracer(TracefsSettings(identity=sys.argv[1], sysfs=Path(sys.argv[2])))
os.setgroups([])
os.setuid(int(sys.argv[3]))
for attempt in (
    tracer.event_names,
    tracer.remove_leftovers,
    lambda: tracer.open_source(frozenset({"task:task_rename"}), [1], SourceSettings()),
):
    try:
        attempt()
    except PortError as error:
        print(type(error).__name__, error)
"""


@pytest.fixture
def names(identity: str) -> Iterator[str]:
    """A node name; nothing that bears it is left, whatever the test does."""
    if os.geteuid() != 0 or not INSTANCES.is_dir():
        pytest.skip("needs root and tracefs at /sys/kernel/tracing")
    yield identity
    left = left_of(identity)
    for name in left:
        (INSTANCES / name).rmdir()
    assert left == []


def left_of(identity: str) -> list[str]:
    return [one.name for one in INSTANCES.iterdir() if identity in one.name]


def tracer_of(identity: str) -> TracefsKernelTracer:
    return TracefsKernelTracer(TracefsSettings(identity=identity))


@pytest.fixture
def opened(names: str) -> Iterator[Callable[..., Any]]:
    sources: list[Any] = []

    def open_source(**settings: Any) -> tuple[Any, Path]:
        source = tracer_of(names).open_source(EVENTS, [], SourceSettings(**settings))
        sources.append(source)
        return source, INSTANCES / source.name

    yield open_source
    for source in sources:
        source.close()


def listed(folder: Path, name: str) -> set[int]:
    return {int(word) for word in (folder / name).read_text().split() if word.isdecimal()}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def idle_tids() -> Iterator[list[int]]:
    """Tids of three threads that do nothing."""
    done, tids, ready = threading.Event(), [], threading.Barrier(4)

    def idle() -> None:
        tids.append(threading.get_native_id())
        ready.wait()
        done.wait()

    threads = [threading.Thread(target=idle) for _ in range(3)]
    for one in threads:
        one.start()
    ready.wait()
    yield tids
    done.set()
    for one in threads:
        one.join()


def test_a_source_records_as_its_settings_say(opened: Callable[..., Any]) -> None:
    source, folder = opened(buffer_kib=256, clock="boot")
    assert 256 <= int((folder / "buffer_size_kb").read_text()) < 300  # whole sub-buffers
    assert "[boot]" in (folder / "trace_clock").read_text()
    assert (folder / "options/event-fork").read_text().strip() == "1"
    assert (folder / "tracing_on").read_text().strip() == "0"
    assert set((folder / "set_event").read_text().split()) == EVENTS
    source.start()
    assert (folder / "tracing_on").read_text().strip() == "1"
    source.stop()
    assert (folder / "tracing_on").read_text().strip() == "0"


def test_the_lists_of_tasks_are_those_asked_for(
    opened: Callable[..., Any], idle_tids: list[int]
) -> None:
    source, folder = opened(buffer_kib=16)
    first, second, third = idle_tids
    source.follow([first, second])
    source.follow([third])
    assert listed(folder, "set_event_pid") >= {first, second, third}
    source.unfollow([first, second])
    assert listed(folder, "set_event_notrace_pid") == {first, second}
    source.follow([first])
    assert listed(folder, "set_event_notrace_pid") == {second}
    source.follow([second])
    assert listed(folder, "set_event_notrace_pid") == set()


def test_a_task_that_has_ended_is_not_left_on_the_list_of_those_not_recorded(
    opened: Callable[..., Any], idle_tids: list[int]
) -> None:
    """Its tid will be another's, whose events would be missing without a word."""
    source, folder = opened(buffer_kib=16)
    with ThreadPoolExecutor(max_workers=1) as executor:
        ended = executor.submit(threading.get_native_id).result()
        source.follow([ended, idle_tids[0]])
    wait_until(lambda: ended not in listed(folder, "set_event_pid"))
    source.unfollow([ended, idle_tids[0]])
    assert listed(folder, "set_event_notrace_pid") == {idle_tids[0]}


def test_a_child_of_one_not_recorded_can_be_taken_back_as_well(opened: Callable[..., Any]) -> None:
    source, folder = opened(buffer_kib=16)
    command = ["sh", "-c", "read line; sleep 1000 & echo $!; wait"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        try:
            source.follow([parent.pid])
            source.unfollow([parent.pid])
            parent.stdin.write("\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            assert listed(folder, "set_event_notrace_pid") == {parent.pid, child}
            source.follow([child])
            assert listed(folder, "set_event_notrace_pid") == {parent.pid}
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"clock": "sundial"}, "invalid argument"), ({"buffer_kib": 1 << 40}, "memory|invalid")],
)
def test_settings_the_kernel_refuses_leave_nothing(
    names: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(TracingUnavailable, match=said):
        tracer_of(names).open_source(EVENTS, [], SourceSettings(**settings))
    assert left_of(names) == []


def test_pipes_that_cannot_be_opened_leave_nothing(
    names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even those that could: an instance in use cannot be removed."""
    real, last = os.open, max((TRACEFS / "per_cpu").glob("cpu*")).name

    def refuse_the_last(path: Any, *more: Any, **named: Any) -> int:
        if str(path).endswith(f"{last}/trace_pipe_raw"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(path, *more, **named)

    monkeypatch.setattr(os, "open", refuse_the_last)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(TracingUnavailable, match=r"raise the limit \(ulimit -n\)"):
        tracer_of(names).open_source(EVENTS, [], SourceSettings(buffer_kib=16))
    assert left_of(names) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_an_event_the_kernel_lacks_is_named(names: str) -> None:
    with pytest.raises(EventUnavailable, match="not have 1 events: no:such"):
        tracer_of(names).open_source(EVENTS | {"no:such"}, [], SourceSettings())
    tracer = tracer_of(names)
    tracer._events = tracer.event_names() | {"gone:since"}
    with pytest.raises(EventUnavailable, match="gone:since"):
        tracer.open_source(EVENTS | {"gone:since"}, [], SourceSettings())
    assert left_of(names) == []


def test_an_instance_somebody_else_reads_is_reported_and_removed_by_the_next_run(
    names: str, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder = opened(buffer_kib=16)
    source.start()
    monkeypatch.setattr(instance_module, "REMOVAL_SECONDS", 0.1)
    with (folder / "trace_pipe").open():
        with pytest.raises(TracingUnavailable, match=f"Cannot remove {folder.name}: .*busy"):
            source.close()
        # At least it costs nobody anything any more.
        assert (folder / "tracing_on").read_text().strip() == "0"
        assert (folder / "events/enable").read_text().strip() == "0"
        assert tracer_of(names).remove_leftovers() == ()
    assert tracer_of(names).remove_leftovers() == (folder.name,)


def test_only_instances_of_exactly_this_name_are_leftovers(names: str) -> None:
    own = f"container-tracer_{names}_0123abcd"
    others = [
        f"container-tracer_{names}2_0123abcd",
        f"container-tracer_{names}_0123abcd_mine",
        f"container-tracer_{names}_0123ABCD",
        f"{names}",
    ]
    for name in (own, *others):
        (INSTANCES / name).mkdir()
    try:
        assert tracer_of(names).remove_leftovers() == (own,)
        assert sorted(left_of(names)) == sorted(others)
    finally:
        for name in others:
            (INSTANCES / name).rmdir()


@pytest.mark.parametrize("odd", ["a/../b", "a_b", "a" * 300, "node 1\n", "caf\xe9"])
def test_names_that_fit_no_folder_still_keep_nodes_apart(names: str, odd: str) -> None:
    """What differs only in what does not fit is another node."""
    one, other = tracer_of(f"{names}{odd}"), tracer_of(f"{names}{odd}?")
    source = one.open_source(EVENTS, [], SourceSettings(buffer_kib=16))
    folder = INSTANCES / source.name
    source.close()
    folder.mkdir()
    assert other.remove_leftovers() == ()
    assert one.remove_leftovers() == (folder.name,)


def attempt(
    identity: str, sysfs: Path | str, *, uid: int = 0, before: str = "", python: str = ""
) -> list[str]:
    """Try to trace in a program of its own, after shell commands in its own mounts."""
    command = [python or sys.executable, "-c", ATTEMPT, identity, str(sysfs), str(uid)]
    if before:
        command = ["unshare", "--mount", "sh", "-ec", f'{before}; exec "$@"', "sh", *command]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_a_kernel_without_tracing_is_said_so(names: str, tmp_path: Path) -> None:
    said = attempt(names, tmp_path)
    assert len(said) == 3
    for line in said:
        assert line.startswith("TracingUnavailable There is no folder")
        assert "--sysfs-path" in line


def test_tracefs_that_is_not_mounted_is_said_with_the_command(names: str, tmp_path: Path) -> None:
    (tmp_path / "kernel/tracing").mkdir(parents=True)
    said = attempt(names, tmp_path)
    assert len(said) == 3
    for line in said:
        assert f"mount -t tracefs nodev {tmp_path}/kernel/tracing" in line
        assert "--mount-tracefs" in line


def test_tracefs_that_is_read_only_is_said_with_the_command(names: str) -> None:
    bind = f"mount --bind {TRACEFS} {TRACEFS}; mount -o remount,ro,bind {TRACEFS}"
    said = attempt(names, "/sys", before=bind)
    assert len(said) == 3
    for line in said:
        assert line.startswith("TracingUnavailable tracefs at /sys/kernel/tracing is mounted read-")
        assert "mount -o remount,rw /sys/kernel/tracing" in line
    assert left_of(names) == []


def test_who_is_not_root_is_told_to_be(names: str) -> None:
    said = attempt(names, "/sys", uid=65534)
    assert len(said) == 3
    for line in said:
        assert line.startswith("TracingUnavailable Cannot ")
        assert "permission denied; run as root" in line
    assert left_of(names) == []


@pytest.mark.usefixtures("names")
def test_it_is_mounted_where_a_person_asks_for_that(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path;"
        "from container_tracer.adapters.tracefs.mount import find_tracefs;"
        "root = find_tracefs(Path(sys.argv[1]), mount=True);"
        "print(root, len((root / 'available_events').read_text().split()) > 100)"
    )
    (tmp_path / "kernel/tracing").mkdir(parents=True)
    command = ["unshare", "--mount", sys.executable, "-c", script, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == [f"{tmp_path}/kernel/tracing", "True"]
