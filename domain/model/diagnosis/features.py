"""What the kernel was built to do beside recording events, and the hooks of this program."""

from collections.abc import Iterator

from .facts import MachineFacts, Refusal
from .finding import Finding, info, ok, problem, warning

MAIN_HOOK = "trace_syscalls"
"""Without it this program has nothing to offer."""

_PARANOID_FOR_NOBODY = 3


def hooks(facts: MachineFacts) -> Iterator[Finding]:
    """Every hook of the catalogue: it can run here, or why it cannot."""
    if not facts.tracefs.events.known:
        if names := ", ".join(hook.name for hook in facts.hooks):
            yield info(
                "hooks",
                f"Whether hooks can run was not found out: {names}.",
                why="That takes the list of the kernel's events.",
            )
        return
    for hook in facts.hooks:
        subject = f"hook {hook.name}"
        if not hook.unavailable:
            yield ok(subject, f"{hook.name} can run here.")
        elif hook.name == MAIN_HOOK:
            yield problem(
                subject,
                f"{hook.name} cannot run here: {hook.unavailable}",
                mend="boot a kernel with CONFIG_FTRACE_SYSCALLS=y",
            )
        else:
            yield info(subject, f"{hook.name} cannot run here: {hook.unavailable}")


def dynamic_events(facts: MachineFacts) -> Iterator[Finding]:
    """Probes, histograms and events made of events."""
    files, readme = facts.tracefs.files, facts.tracefs.readme
    if not files:
        return
    features = {
        "kprobes": "kprobe_events" in files,
        "uprobes": "uprobe_events" in files,
        "histograms": readme.known and "hist:" in readme.text,
        "synthetic events": "synthetic_events" in files,
    }
    has = [name for name, there in features.items() if there]
    lacks = [name for name, there in features.items() if not there]
    what = f"The kernel has {', '.join(has)}" if has else "The kernel has no dynamic events"
    what += f", and lacks {', '.join(lacks)}." if lacks and has else "."
    yield info("dynamic events", what, why=_event_probes(facts))


def _event_probes(facts: MachineFacts) -> str:
    # The text stands in the README of kernels whose eprobes fail, so it is no proof.
    if "e[:[<group>/]" in facts.tracefs.readme.text:
        return "Whether event probes work was not tried: that would change the kernel's state."
    return ""


def function_tracer(facts: MachineFacts) -> Iterator[Finding]:
    """Look for function tracers, and their filter: without it they would slow everything."""
    tracers = facts.tracefs.tracers.words
    if not facts.tracefs.tracers.known:
        return
    has = [name for name in ("function", "function_graph") if name in tracers]
    tracer = f"The kernel has tracers of functions ({', '.join(has)})"
    if not has:
        yield info("functions", "The kernel has no function tracer.")
    elif facts.tracefs.function_filter.refusal is Refusal.FORBIDDEN:
        yield info(
            "functions",
            f"{tracer}, but forbids their filter to be read or set.",
            why="Unfiltered they would slow everything, so kernel functions cannot be traced.",
        )
    elif facts.tracefs.function_filter.known:
        yield ok("functions", f"{tracer}, with a filter.")
    else:
        yield info("functions", f"{tracer}, without a filter.")


def bpf(facts: MachineFacts) -> Iterator[Finding]:
    """BPF, its type information, and bpftrace."""
    if not facts.kernel.unprivileged_bpf.known:
        yield info("BPF", "The kernel has no BPF (CONFIG_BPF_SYSCALL); only hooks of ebpf need it.")
        return
    btf = "with" if facts.kernel.has_btf else "without"
    tool = "installed" if facts.surroundings.has_bpftrace else "not installed"
    mend = "" if facts.surroundings.has_bpftrace else "apt-get install bpftrace"
    yield info(
        "BPF",
        f"The kernel has BPF, {btf} type information (BTF); bpftrace is {tool}.",
        why="" if not mend else "Only hooks of the group ebpf need it.",
        mend=mend,
    )


def perf(facts: MachineFacts) -> Iterator[Finding]:
    """Perf events: whom they are for, and whether they can be limited to a cgroup."""
    level = facts.kernel.perf_event_paranoid.text.strip()
    if not facts.kernel.perf_event_paranoid.known:
        yield info("perf", "The kernel has no perf events; only hooks of the group perf need them.")
        return
    by_cgroup = "perf_event" in facts.kernel.cgroup_controllers.words
    counters = any(name.startswith(("cpu", "armv")) for name in facts.kernel.event_sources)
    said = [
        f"perf_event_paranoid is {level}",
        "perf can be limited to cgroups" if by_cgroup else "perf cannot be limited to cgroups",
        "the processor has counters" if counters else "no processor counters, so clocks sample",
    ]
    what = f"The kernel has perf events: {'; '.join(said)}."
    if level.isdecimal() and int(level) > _PARANOID_FOR_NOBODY and facts.process.uid != 0:
        yield warning(
            "perf",
            what,
            why="At that level only programs with CAP_PERFMON may use them.",
            mend="sysctl kernel.perf_event_paranoid=2",
        )
    else:
        yield info("perf", what)
