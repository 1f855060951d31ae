"""Facts about a machine, as its kernel states them: texts, not yet understood."""

from collections.abc import Mapping
from enum import StrEnum

from attrs import field, frozen


class Refusal(StrEnum):
    """Why a file said nothing."""

    NONE = ""
    MISSING = "missing"
    DENIED = "denied"
    FORBIDDEN = "forbidden"
    FAILED = "failed"


@frozen
class Reading:
    """What a file says, or why it does not.

    MISSING: there is no such file. DENIED: this user may not (EACCES). FORBIDDEN: nobody may
    (EPERM to somebody who may otherwise). FAILED: anything else. `reason` is the system's word.
    """

    text: str = ""
    refusal: Refusal = Refusal.NONE
    reason: str = ""

    @property
    def known(self) -> bool:
        """Tell whether the file was read."""
        return self.refusal is Refusal.NONE

    @property
    def words(self) -> list[str]:
        """Split what was read at blanks; nothing if it was not."""
        return self.text.split()


MISSING = Reading(refusal=Refusal.MISSING)


@frozen(kw_only=True)
class ProcessFacts:
    """This program: `status`, `uid_map` and `mountinfo` are its own in procfs.

    `pid_namespace` is where the link `ns/pid` leads; `kernel_thread` the name of pid 2; `nofile`
    how many files it may open (-1: any number).
    """

    uid: int = 0
    status: Reading = MISSING
    uid_map: Reading = MISSING
    mountinfo: Reading = MISSING
    pid_namespace: Reading = MISSING
    kernel_thread: Reading = MISSING
    security_profile: Reading = MISSING
    nofile: int = 1024


@frozen(kw_only=True)
class KernelFacts:
    """The running kernel: its release, and files that say what it was built and booted to do.

    `event_sources` are the names in `/sys/bus/event_source/devices`.
    """

    release: str = ""
    architecture: str = ""
    lockdown: Reading = MISSING
    selinux_enforce: Reading = MISSING
    perf_event_paranoid: Reading = MISSING
    unprivileged_bpf: Reading = MISSING
    cgroup_controllers: Reading = MISSING
    has_btf: bool = False
    event_sources: tuple[str, ...] = ()


@frozen(kw_only=True)
class HardwareFacts:
    """Processors, memory, and what tells the time."""

    online_cpus: Reading = MISSING
    isolated_cpus: Reading = MISSING
    tickless_cpus: Reading = MISSING
    meminfo: Reading = MISSING
    clock_source: Reading = MISSING
    clock_sources: Reading = MISSING


@frozen(kw_only=True)
class RecorderFacts:
    """One who can record: the top of tracefs (no name), or an instance.

    `events` is the text of `set_event`: the events that are on.
    """

    name: str = ""
    events: Reading = MISSING
    tracer: Reading = MISSING
    tracing_on: Reading = MISSING


@frozen(kw_only=True)
class TracefsFacts:
    """Tracefs: `folder` is where it is, or would usually be.

    `instances` holds the names of instances, a line each: DENIED if they may not be looked at,
    MISSING if tracefs is not mounted. `files` are the names at its top.
    """

    folder: str = "/sys/kernel/tracing"
    has_folder: bool = False
    instances: Reading = MISSING
    read_only: bool = False
    writable: bool = False
    files: frozenset[str] = frozenset()
    readme: Reading = MISSING
    events: Reading = MISSING
    tracers: Reading = MISSING
    function_filter: Reading = MISSING
    clocks: Reading = MISSING
    options: Reading = MISSING
    recorders: tuple[RecorderFacts, ...] = ()


@frozen(kw_only=True)
class RuntimeFacts:
    """A container runtime that was asked through the CRI at a socket.

    `title` is what it calls itself and `pods` how many it has, or `refusal` says what went wrong.
    `unsuitable` says that it answers, but cannot be used.
    """

    socket: str
    title: str = ""
    pods: int = 0
    refusal: str = ""
    unsuitable: bool = False


@frozen(kw_only=True)
class SurroundingFacts:
    """What else is on the machine.

    `cri_sockets` tells of each socket found whether this program may connect to it, `runtimes` what
    those said to which it may. `commands` holds the first words of every process's command line, by
    pid. `listening` holds the texts of `net/tcp` and `net/tcp6`. `pod_cgroups` are the names of the
    cgroup above all pods. `containers` counts them, those in virtual machines too.
    """

    cri_sockets: Mapping[str, bool] = field(factory=dict)
    runtimes: tuple[RuntimeFacts, ...] = ()
    pod_cgroups: tuple[str, ...] = ()
    commands: Mapping[int, tuple[str, ...]] = field(factory=dict)
    listening: tuple[Reading, ...] = ()
    has_vsock: bool = False
    has_bpftrace: bool = False
    containers: int = 0
    isolated_containers: int = 0
    containers_refusal: str = ""


@frozen(kw_only=True)
class HookFacts:
    """A hook of the catalogue, and why it cannot run here; empty if it can."""

    name: str
    unavailable: str = ""


@frozen(kw_only=True)
class BystanderPrice:
    """What a system call costs a process that nobody traces, in nanoseconds per call.

    `idle_ns` with nothing recorded by us, `traced_ns` while another task is traced. `skipped` says
    why that was not measured, and is empty if it was.
    """

    idle_ns: float = 0.0
    traced_ns: float = 0.0
    skipped: str = ""


@frozen(kw_only=True)
class MachineFacts:
    """Everything a diagnosis looks at; `buffer_kib` is what a source would take per CPU."""

    process: ProcessFacts = field(factory=ProcessFacts)
    kernel: KernelFacts = field(factory=KernelFacts)
    hardware: HardwareFacts = field(factory=HardwareFacts)
    tracefs: TracefsFacts = field(factory=TracefsFacts)
    surroundings: SurroundingFacts = field(factory=SurroundingFacts)
    hooks: tuple[HookFacts, ...] = ()
    price: BystanderPrice = field(factory=BystanderPrice)
    buffer_kib: int = 8192
