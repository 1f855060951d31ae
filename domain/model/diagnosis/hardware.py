"""Processors, memory, files and clocks: what tracing takes of a machine, and what it has."""

import re
from collections.abc import Iterator

from .facts import HardwareFacts, MachineFacts
from .finding import Finding, info, ok, problem, warning

_CHEAP_CLOCKS = frozenset({"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"})
_MUCH = 0.1
"""Of the memory that is free, so much for buffers is worth a warning."""

_OTHER_FILES = 256
_SOURCES = 4
"""Sessions with different sets of events that ought to be possible at once."""


def cpu_list(text: str) -> list[int]:
    """Read a list such as `0-3,8`; what is no list is empty (as `(null)` of nohz_full)."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        if bounds := re.fullmatch(r"(\d+)(?:-(\d+))?", part):
            cpus += range(int(bounds[1]), int(bounds[2] or bounds[1]) + 1)
    return cpus


def processors(facts: MachineFacts) -> Iterator[Finding]:
    """Processors, and those set aside for programs that must not be disturbed."""
    online = cpu_list(facts.hardware.online_cpus.text)
    yield info("processors", f"Processors online: {len(online) or 'unknown'}.")
    apart = sorted(
        {
            *cpu_list(facts.hardware.isolated_cpus.text),
            *cpu_list(facts.hardware.tickless_cpus.text),
        }
        & set(online)
    )
    if apart:
        yield warning(
            "processors",
            f"Of the processors, {_ranges(apart)} are isolated or tickless.",
            why="What runs there is disturbed where its calls are recorded, and by a reader there.",
            mend="taskset -c LIST tracer-node ..., with processors that are not set aside",
        )


def _ranges(cpus: list[int]) -> str:
    pieces: list[list[int]] = []
    for cpu in cpus:
        if pieces and pieces[-1][1] == cpu - 1:
            pieces[-1][1] = cpu
        else:
            pieces.append([cpu, cpu])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in pieces)


def memory(facts: MachineFacts) -> Iterator[Finding]:
    """Buffers against the memory that is free."""
    cpus = len(cpu_list(facts.hardware.online_cpus.text))
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", facts.hardware.meminfo.text, re.MULTILINE)
    if not cpus or not found:
        yield info("memory", "How much memory is free could not be found out.")
        return
    buffers_mib, free_mib = cpus * facts.buffer_kib // 1024, int(found[1]) // 1024
    what = (
        f"A source takes {buffers_mib} MiB ({facts.buffer_kib} KiB on each of {cpus} processors)"
        f" of {free_mib} MiB free."
    )
    fitting = max(64, int(free_mib * 1024 * _MUCH) // cpus // 64 * 64)
    mend = f"tracer-node --buffer-kib {fitting}"
    if buffers_mib >= free_mib:
        why = "The kernel could not make the buffers, or the machine would have no memory left."
        yield problem("memory", what, why=why, mend=mend)
    elif buffers_mib > _MUCH * free_mib:
        why = "Sessions with different sets of events take that much each."
        yield warning("memory", what, why=why, mend=mend)
    else:
        yield ok("memory", what)


def files(facts: MachineFacts) -> Iterator[Finding]:
    """Look at the limit on open files: a source takes one per processor."""
    cpus = len(cpu_list(facts.hardware.online_cpus.text))
    may = facts.process.nofile
    need = _OTHER_FILES + _SOURCES * (cpus + 2)
    if 0 <= may < need:
        yield warning(
            "open files",
            f"This program may open {may} files; {_SOURCES} sources and their exporters want"
            f" {need}.",
            why="A source takes a file per processor, and a request or a watcher one each.",
            mend=f"ulimit -n {need}",
        )
    else:
        yield ok(
            "open files", f"This program may open {'any number of' if may < 0 else may} files."
        )


def clock_source(facts: MachineFacts) -> Iterator[Finding]:
    """Every event asks for the time; some clocks take a microsecond to answer."""
    name = facts.hardware.clock_source.text.strip()
    if not name:
        return
    if name in _CHEAP_CLOCKS:
        yield ok("clock source", f"The clock source is {name}, which is quick to read.")
        return
    yield warning(
        "clock source",
        f"The clock source is {name}, which is slow to read.",
        why="Every event is stamped with the time, so each costs up to a microsecond more.",
        mend=_quicker(facts.hardware),
    )


def _quicker(hardware: HardwareFacts) -> str:
    offered = [name for name in hardware.clock_sources.words if name in _CHEAP_CLOCKS]
    if not offered:
        return "boot with tsc=reliable on the kernel's command line, if the processor's is"
    folder = "/sys/devices/system/clocksource/clocksource0"
    return f"echo {offered[0]} > {folder}/current_clocksource"
