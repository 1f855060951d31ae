"""Is tracefs there and usable, and who else uses it now."""

import shlex
from collections.abc import Iterator, Sequence

from .facts import MachineFacts, RecorderFacts, Refusal
from .finding import Finding, counted, info, ok, problem, warning
from .nodes import node_pids, private_node_pids

OUR_PREFIX = "container-tracer_"
NEEDED_CLOCK = "mono"
_SYSCALL_SYSTEMS = ("syscalls", "raw_syscalls")


def mounted(facts: MachineFacts) -> Iterator[Finding]:
    """Tracefs is mounted, and this program may make instances in it."""
    tracefs = facts.tracefs
    folder, refusal = tracefs.folder, tracefs.instances.refusal
    if refusal is Refusal.DENIED:
        yield problem(
            "tracefs",
            f"{folder} may not be looked into by this user.",
            why="So nothing could be found out about tracefs: events, hooks, other tracers.",
            mend="sudo container-tracer doctor",
        )
    elif refusal is Refusal.MISSING and not tracefs.has_folder:
        yield problem(
            "tracefs",
            f"There is no folder {folder}.",
            why="The kernel is built without tracing (CONFIG_FTRACE), or this is a container that"
            " does not see the host's sysfs.",
            mend="in a container: docker run -v /sys:/sys ..., or its place with --sysfs-path",
        )
    elif refusal is Refusal.MISSING:
        yield problem(
            "tracefs",
            f"tracefs is not mounted at {folder}.",
            mend=f"mount -t tracefs nodev {folder}",
        )
    elif refusal is not Refusal.NONE:
        yield problem(
            "tracefs",
            f"{folder} cannot be looked into: {tracefs.instances.reason or refusal.value}.",
            why="The kernel forbids it, as in lockdown, or a security module does.",
            mend="dmesg | grep -i -e lockdown -e avc -e apparmor",
        )
    elif tracefs.read_only:
        yield problem(
            "tracefs",
            f"tracefs is mounted read-only at {folder}.",
            mend=f"mount -o remount,rw {folder}",
        )
    elif not tracefs.writable:
        yield problem(
            "tracefs",
            f"Instances may not be made in {folder}/instances by this user.",
            mend="sudo container-tracer doctor",
        )
    else:
        yield ok("tracefs", f"tracefs is mounted at {folder}, and instances can be made there.")


def events(facts: MachineFacts) -> Iterator[Finding]:
    """Look whether the kernel has events."""
    reading = facts.tracefs.events
    if reading.known and not reading.words:
        yield problem(
            "events",
            "The kernel has no trace events.",
            why="It is built without them (CONFIG_EVENT_TRACING, CONFIG_FTRACE_SYSCALLS).",
            mend="boot a kernel with CONFIG_FTRACE_SYSCALLS=y",
        )
    elif reading.known:
        systems = {word.partition(":")[0] for word in reading.words}
        calls = sum(word.startswith("syscalls:sys_enter_") for word in reading.words)
        yield ok(
            "events",
            f"The kernel has {len(reading.words)} events of {len(systems)} systems;"
            f" {calls} system calls can be traced.",
        )
    elif facts.tracefs.instances.known:
        yield problem(
            "events",
            "The list of events cannot be read.",
            why="The kernel forbids it, as in lockdown, or a security module does.",
            mend=f"cat {facts.tracefs.folder}/available_events",
        )


def clocks(facts: MachineFacts) -> Iterator[Finding]:
    """Look for the trace clock that events are stamped with."""
    offered = [word.strip("[]") for word in facts.tracefs.clocks.words]
    if not offered:
        return
    if NEEDED_CLOCK in offered:
        yield ok("trace clock", f"Trace clocks: {', '.join(offered)}; {NEEDED_CLOCK} is used.")
    else:
        yield problem(
            "trace clock",
            f"The kernel does not offer the trace clock {NEEDED_CLOCK}.",
            why="Without it, kernel times cannot be told in wall-clock time.",
            mend="boot Linux 4.2 or newer",
        )


def overwriting(facts: MachineFacts) -> Iterator[Finding]:
    """Look at the options that new instances take from the top of tracefs."""
    if "nooverwrite" in facts.tracefs.options.words:
        yield warning(
            "ring buffers",
            "Full buffers refuse new events (option nooverwrite), and new instances inherit that.",
            why="Where a buffer overflows, what is newest is lost, not what is oldest.",
            mend=f"echo 1 > {facts.tracefs.folder}/options/overwrite",
        )


def other_tracers(facts: MachineFacts) -> Iterator[Finding]:
    """Whoever records now slows the machine, and is told by name."""
    others = [one for one in facts.tracefs.recorders if not one.name.startswith(OUR_PREFIX)]
    busy = [finding for one in others for finding in _busy(one, facts.tracefs.folder)]
    yield from busy
    if facts.tracefs.instances.known and not busy:
        yield ok("other tracers", "Nobody else records with tracefs now.")


def _busy(recorder: RecorderFacts, folder: str) -> Iterator[Finding]:
    place = f"{folder}/instances/{recorder.name}" if recorder.name else folder
    who = f"The instance {recorder.name}" if recorder.name else "The top of tracefs"
    if recorder.tracer.words not in ([], ["nop"]):
        yield warning(
            "other tracers",
            f"{who} has the tracer {recorder.tracer.text.strip()} on.",
            why="A tracer of functions slows everything on this machine.",
            mend=f"echo nop > {shlex.quote(place)}/current_tracer",
        )
    events = recorder.events.words
    if not events:
        return
    systems = sorted({event.partition(":")[0] for event in events})
    mend = f"echo > {shlex.quote(place)}/set_event"
    off = ", but recording is off" if recorder.tracing_on.words == ["0"] else ""
    what = f"{who} has {counted(len(events), 'event')} on ({_some(systems)}){off}."
    if set(systems) & set(_SYSCALL_SYSTEMS):
        why = "Events of system calls cost every process on this machine about 90 ns per call."
        yield warning("other tracers", what, why=why, mend=mend)
    else:
        yield info("other tracers", what, mend=mend)


def our_instances(facts: MachineFacts) -> Iterator[Finding]:
    """Instances of this program: in use, or left by one that was killed."""
    ours = [one.name for one in facts.tracefs.recorders if one.name.startswith(OUR_PREFIX)]
    if not ours:
        return
    what = f"There {'is' if len(ours) == 1 else 'are'} {counted(len(ours), 'instance')} of ours"
    commands = facts.surroundings.commands
    if pids := node_pids(commands) + private_node_pids(commands):
        running = ", ".join(str(pid) for pid in pids)
        yield info("instances", f"{what}: {_some(ours)}; a node runs (pid {running}).")
    else:
        yield warning(
            "instances",
            f"{what}, but no node was found to run: {_some(ours)}.",
            why="What a killed node left goes on recording, which costs every process; a node of"
            " the same name removes it when it starts. The kernel keeps what is still in use.",
            mend=shlex.join(
                ["rmdir", *(f"{facts.tracefs.folder}/instances/{name}" for name in ours)]
            ),
        )


def _some(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
