"""A machine on which all is well, and finding what is said about another."""

from collections.abc import Callable

import pytest
from attrs import evolve

from container_tracer.domain.model.diagnosis.facts import (
    BystanderPrice,
    HardwareFacts,
    HookFacts,
    KernelFacts,
    MachineFacts,
    ProcessFacts,
    Reading,
    RecorderFacts,
    SurroundingFacts,
    TracefsFacts,
)
from container_tracer.domain.model.diagnosis.finding import Finding
from container_tracer.domain.model.diagnosis.machine import diagnose

STATUS = "Name:\tdoctor\nSeccomp:\t0\nCapEff:\t000001ffffffffff\n"
MOUNTS = (
    "22 1 0:20 / /proc rw,relatime - proc proc rw\n"
    "29 1 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
)


@pytest.fixture
def healthy() -> MachineFacts:
    """Root on an ordinary machine with everything."""
    return MachineFacts(
        process=ProcessFacts(
            uid=0,
            status=Reading(STATUS),
            uid_map=Reading("         0          0 4294967295\n"),
            mountinfo=Reading(MOUNTS),
            pid_namespace=Reading("pid:[4026531836]"),
            kernel_thread=Reading("kthreadd\n"),
            security_profile=Reading("unconfined\n"),
            nofile=65536,
        ),
        kernel=KernelFacts(
            release="6.18.0",
            architecture="x86_64",
            lockdown=Reading("[none] integrity confidentiality\n"),
            perf_event_paranoid=Reading("2\n"),
            unprivileged_bpf=Reading("2\n"),
            cgroup_controllers=Reading("#subsys_name\ncpu 1\nperf_event 2\n"),
            has_btf=True,
            event_sources=("breakpoint", "cpu", "software"),
        ),
        hardware=HardwareFacts(
            online_cpus=Reading("0-3\n"),
            isolated_cpus=Reading("\n"),
            tickless_cpus=Reading("(null)\n"),
            meminfo=Reading("MemTotal: 16000000 kB\nMemAvailable:   8192000 kB\n"),
            clock_source=Reading("tsc\n"),
            clock_sources=Reading("tsc hpet acpi_pm \n"),
        ),
        tracefs=TracefsFacts(
            has_folder=True,
            instances=Reading(""),
            writable=True,
            files=frozenset({"kprobe_events", "uprobe_events", "synthetic_events"}),
            readme=Reading("hist:keys=<field1>\n e[:[<group>/][<event>]]"),
            events=Reading("syscalls:sys_enter_read\nsyscalls:sys_exit_read\nsched:sched_switch\n"),
            tracers=Reading("function_graph function nop\n"),
            function_filter=Reading("#### all functions enabled ####\n"),
            clocks=Reading("[local] global mono boot\n"),
            options=Reading("overwrite\nevent-fork\n"),
            recorders=(RecorderFacts(events=Reading(""), tracer=Reading("nop\n")),),
        ),
        surroundings=SurroundingFacts(has_bpftrace=True, containers=3),
        hooks=(HookFacts(name="trace_syscalls"),),
        price=BystanderPrice(idle_ns=100.0, traced_ns=190.0),
    )


@pytest.fixture
def found(healthy: MachineFacts) -> Callable[..., list[Finding]]:
    """Diagnose the healthy machine with some facts changed; `part` is the group they are of."""

    def find(subject: str, part: str = "", **changes: object) -> list[Finding]:
        facts = healthy
        if part:
            facts = evolve(facts, **{part: evolve(getattr(facts, part), **changes)})
        else:
            facts = evolve(facts, **changes)  # type: ignore[arg-type]
        return [one for one in diagnose(facts) if one.subject == subject]

    return find
