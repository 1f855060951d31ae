"""The diagnosis of a machine: for each fact that matters, what is said and how it is mended."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from attrs import evolve

from container_tracer.domain.model.diagnosis.facts import (
    BystanderPrice,
    HookFacts,
    MachineFacts,
    Reading,
    RecorderFacts,
    Refusal,
    RuntimeFacts,
    TracefsFacts,
)
from container_tracer.domain.model.diagnosis.finding import Finding, Verdict, prevents_tracing
from container_tracer.domain.model.diagnosis.machine import diagnose

Found = Callable[..., list[Finding]]

DENIED = Reading(refusal=Refusal.DENIED)
MISSING = Reading(refusal=Refusal.MISSING)
FORBIDDEN = Reading(refusal=Refusal.FORBIDDEN, reason="operation not permitted")
NO_PTRACE = Reading("CapEff:\t000001fffff7ffff\n")
NO_NICE = Reading("CapEff:\t000001ffff7fffff\n")
HIDING = Reading("22 1 0:20 / /proc rw,relatime - proc proc rw,hidepid=invisible\n")


def test_a_healthy_machine_has_neither_problems_nor_warnings(healthy: MachineFacts) -> None:
    findings = diagnose(healthy)
    assert {one.verdict for one in findings} == {Verdict.OK, Verdict.INFO}
    assert not prevents_tracing(findings)


def test_knowing_nothing_at_all_is_a_diagnosis_too() -> None:
    findings = diagnose(MachineFacts())
    assert prevents_tracing(findings)
    assert not [one for one in findings if one.subject == "hook trace_syscalls"]


@pytest.mark.parametrize("name", ["process", "kernel", "hardware", "tracefs", "surroundings"])
def test_every_finding_is_a_sentence_and_every_problem_says_how_to_mend_it(
    healthy: MachineFacts, name: str
) -> None:
    unknown = evolve(healthy, **{name: getattr(MachineFacts(), name)})
    for facts in (unknown, evolve(MachineFacts(), **{name: getattr(healthy, name)})):
        for one in diagnose(facts):
            assert one.what[0].isupper() or one.what.startswith(("tracefs", "trace_", "/")), one
            assert one.what.endswith("."), one
            assert not one.why or one.why.endswith("."), one
            assert one.mend or one.verdict is not Verdict.PROBLEM, one
            assert not one.mend.endswith("."), one
            assert "\n" not in one.what + one.why + one.mend, one


# Subject, group of facts, changed facts; verdict, words said, words of the mend.
Case = tuple[str, str, dict[str, Any], str, str, str]
CASES: list[Case] = [
    ("kernel", "kernel", {"architecture": "armv7l"}, "problem", "no 64-bit kernel", "64-bit"),
    ("kernel", "kernel", {"architecture": "aarch64"}, "info", "on aarch64", ""),
    ("user", "process", {"uid": 1000}, "problem", "as user 1000", "sudo container-tracer"),
    ("user", "process", {"uid_map": Reading("0 1000 1\n")}, "problem", "user namespace", "sudo"),
    ("user", "process", {"status": NO_PTRACE}, "info", "CAP_SYS_PTRACE", "cap-add=SYS_PTRACE"),
    ("user", "process", {"status": NO_NICE}, "warning", "CAP_SYS_NICE", "cap-add=SYS_NICE"),
    ("user", "process", {"status": MISSING}, "info", "could not be read", ""),
    (
        "lockdown",
        "kernel",
        {"lockdown": Reading("none integrity [confidentiality]\n")},
        "problem",
        "locked down",
        "lockdown=integrity",
    ),
    ("lockdown", "kernel", {"lockdown": Reading("none [integrity] x\n")}, "ok", "integrity", ""),
    (
        "security",
        "process",
        {"security_profile": Reading("docker-default (enforce)\n")},
        "warning",
        "docker-default (enforce)",
        "apparmor=unconfined",
    ),
    ("security", "process", {"status": Reading("x\nSeccomp:\t2\n")}, "info", "seccomp", ""),
    (
        "pid namespace",
        "process",
        {"pid_namespace": Reading("pid:[4026532200]"), "kernel_thread": MISSING},
        "problem",
        "pid namespace of its own",
        "--pid=host",
    ),
    (
        "pid namespace",
        "process",
        {"pid_namespace": Reading("pid:[4026532200]")},
        "info",
        "procfs shows the host's",
        "",
    ),
    ("pid namespace", "process", {"pid_namespace": DENIED}, "ok", "sees the host", ""),
    (
        "procfs",
        "process",
        {"mountinfo": HIDING, "status": NO_PTRACE},
        "warning",
        "hidepid=invisible",
        "remount,hidepid=0 /proc",
    ),
    ("procfs", "process", {"mountinfo": HIDING}, "info", "but not from this program", ""),
    ("tracefs", "tracefs", {"instances": DENIED}, "problem", "may not be looked into", "sudo"),
    (
        "tracefs",
        "tracefs",
        {"instances": MISSING},
        "problem",
        "not mounted at /sys/kernel/tracing",
        "mount -t tracefs nodev /sys/kernel/tracing",
    ),
    (
        "tracefs",
        "tracefs",
        {"instances": MISSING, "has_folder": False},
        "problem",
        "no folder",
        "--sysfs-path",
    ),
    ("tracefs", "tracefs", {"instances": FORBIDDEN}, "problem", "not permitted", "dmesg"),
    ("tracefs", "tracefs", {"read_only": True}, "problem", "read-only", "remount,rw"),
    ("tracefs", "tracefs", {"writable": False}, "problem", "may not be made", "sudo"),
    ("events", "tracefs", {"events": Reading("")}, "problem", "no trace events", "CONFIG_FTRACE"),
    ("events", "tracefs", {"events": FORBIDDEN}, "problem", "cannot be read", "available_events"),
    ("trace clock", "tracefs", {"clocks": Reading("[local]")}, "problem", "mono", "4.2"),
    (
        "ring buffers",
        "tracefs",
        {"options": Reading("nooverwrite\n")},
        "warning",
        "refuse new events",
        "echo 1 > /sys/kernel/tracing/options/overwrite",
    ),
    ("functions", "tracefs", {"function_filter": FORBIDDEN}, "info", "forbids", ""),
    ("functions", "tracefs", {"function_filter": MISSING}, "info", "without a filter", ""),
    ("functions", "tracefs", {"tracers": Reading("nop\n")}, "info", "no function tracer", ""),
    (
        "dynamic events",
        "tracefs",
        {"files": frozenset({"uprobe_events"}), "readme": Reading("")},
        "info",
        "has uprobes, and lacks kprobes, histograms, synthetic events.",
        "",
    ),
    (
        "dynamic events",
        "tracefs",
        {"files": frozenset({"README"}), "readme": Reading("")},
        "info",
        "no dynamic events.",
        "",
    ),
    ("BPF", "kernel", {"unprivileged_bpf": MISSING}, "info", "no BPF", ""),
    ("BPF", "kernel", {"has_btf": False}, "info", "without type information", ""),
    ("BPF", "surroundings", {"has_bpftrace": False}, "info", "not installed", "apt-get install"),
    ("perf", "kernel", {"perf_event_paranoid": MISSING}, "info", "no perf events", ""),
    ("perf", "kernel", {"event_sources": ("software",)}, "info", "no processor counters", ""),
    (
        "clock source",
        "hardware",
        {"clock_source": Reading("hpet\n")},
        "warning",
        "hpet",
        "echo tsc",
    ),
    (
        "clock source",
        "hardware",
        {"clock_source": Reading("hpet\n"), "clock_sources": Reading("hpet acpi_pm\n")},
        "warning",
        "slow to read",
        "tsc=reliable",
    ),
    (
        "memory",
        "hardware",
        {"meminfo": Reading("MemAvailable: 262144 kB\n")},
        "warning",
        "32 MiB",
        "--buffer-kib 6528",
    ),
    (
        "memory",
        "hardware",
        {"meminfo": Reading("MemAvailable: 20480 kB\n")},
        "problem",
        "20 MiB",
        "--buffer-kib 512",
    ),
    ("memory", "hardware", {"meminfo": MISSING}, "info", "could not be found out", ""),
    ("open files", "process", {"nofile": 128}, "warning", "128 files", "ulimit -n 280"),
    ("open files", "process", {"nofile": -1}, "ok", "any number", ""),
    ("cgroups", "process", {"mountinfo": Reading("")}, "warning", "No cgroups", "/sys:/sys"),
    ("cgroups", "surroundings", {"pod_cgroups": ("kubepods.slice",)}, "info", "systemd", ""),
    ("cgroups", "surroundings", {"pod_cgroups": ("kubepods",)}, "info", "cgroupfs", ""),
    ("containers", "surroundings", {"containers": 0}, "info", "No container", ""),
    (
        "containers",
        "surroundings",
        {"isolated_containers": 2},
        "ok",
        "3, 2 of them in virtual machines",
        "",
    ),
    ("containers", "surroundings", {"containers_refusal": "Broken."}, "warning", "Broken.", ""),
    ("CRI", "surroundings", {"cri_sockets": {}}, "info", "No CRI socket", ""),
    (
        "CRI",
        "surroundings",
        {"runtimes": (RuntimeFacts(socket="/run/a.sock", title="containerd 1.7", pods=3),)},
        "ok",
        "containerd 1.7, answers at /run/a.sock; pods: 3.",
        "",
    ),
    (
        "CRI",
        "surroundings",
        {"runtimes": (RuntimeFacts(socket="/run/a.sock", refusal="It is away."),)},
        "warning",
        "It is away.",
        "systemctl status",
    ),
    (
        "CRI",
        "surroundings",
        {"runtimes": (RuntimeFacts(socket="/a", refusal="No CRI.", unsuitable=True),)},
        "info",
        "No CRI.",
        "",
    ),
    ("CRI", "surroundings", {"cri_sockets": {"/run/a.sock": False}}, "info", "may not", "sudo"),
    ("VSOCK", "surroundings", {"has_vsock": True}, "info", "has /dev/vsock", ""),
    (
        "tracer-node",
        "surroundings",
        {"commands": {7: ("/usr/bin/python3", "/usr/bin/tracer-node")}},
        "info",
        "(pid 7)",
        "",
    ),
    (
        "tracer-node",
        "surroundings",
        {"commands": {9: ("python3", "-m", "container_tracer.entrypoints.node")}},
        "info",
        "(pid 9)",
        "",
    ),
    (
        "tracer-node",
        "surroundings",
        {"listening": (MISSING, Reading("sl local\n 0: 0:1F90 0:0 0A 0\n"))},
        "warning",
        "another program's",
        "--address 127.0.0.1:8081",
    ),
    (
        "tracer-node",
        "surroundings",
        {"listening": (Reading(" 0: 0:1F90 0:0 01 0\n 1: 0:1F91 0:0 0A 0\n"),)},
        "info",
        "8080 is free",
        "",
    ),
    ("bystanders", "price", {"skipped": "Not root."}, "info", "not measured: Not root.", ""),
    ("bystanders", "price", {}, "info", "190 ns instead of 100 ns (1.9 times)", ""),
    ("bystanders", "price", {"traced_ns": 500.0}, "warning", "(5.0 times)", "-s openat"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}: {case[4]}")
def test_a_fact_becomes_a_finding(found: Found, case: Case) -> None:
    subject, part, changes, verdict, said, mend = case
    (finding,) = found(subject, part, **changes)
    assert finding.verdict == verdict
    assert said in finding.what
    assert mend in finding.mend
    assert bool(mend) == bool(finding.mend)


def test_selinux_is_a_warning_only_where_it_is_enforced_on_this_program(
    healthy: MachineFacts,
) -> None:
    def said(enforce: str, profile: str) -> list[Finding]:
        facts = evolve(
            healthy,
            kernel=evolve(healthy.kernel, selinux_enforce=Reading(enforce)),
            process=evolve(healthy.process, security_profile=Reading(profile)),
        )
        return [one for one in diagnose(facts) if one.subject == "security"]

    (confined,) = said("1", "system_u:system_r:container_t:s0\0")
    assert confined.verdict == "warning"
    assert "label=disable" in confined.mend
    assert said("1", "system_u:system_r:spc_t:s0") == []
    assert said("1", "unconfined_u:unconfined_r:unconfined_t:s0") == []


def test_paranoid_perf_is_a_warning_for_others_than_root_only(healthy: MachineFacts) -> None:
    kernel = evolve(healthy.kernel, perf_event_paranoid=Reading("4\n"))
    for uid, verdict in ((0, "info"), (1000, "warning")):
        facts = evolve(healthy, kernel=kernel, process=evolve(healthy.process, uid=uid))
        (finding,) = [one for one in diagnose(facts) if one.subject == "perf"]
        assert finding.verdict == verdict


@pytest.mark.parametrize(
    ("isolated", "tickless", "said"),
    [("1-2\n", "(null)\n", "1-2"), ("\n", "3\n", "3"), ("0,2", "3", "0,2-3"), ("7", "\n", "")],
)
def test_processors_that_are_set_aside_are_named(
    found: Found, isolated: str, tickless: str, said: str
) -> None:
    findings = found(
        "processors", "hardware", isolated_cpus=Reading(isolated), tickless_cpus=Reading(tickless)
    )
    warnings = [one.what for one in findings if one.verdict == "warning"]
    expected = [f"Of the processors, {said} are isolated or tickless."] if said else []
    assert warnings == expected


def test_every_hook_is_listed_with_why_it_cannot_run(found: Found) -> None:
    hooks = (HookFacts(name="trace_syscalls"), HookFacts(name="other", unavailable="No probes."))
    assert [one.verdict for one in found("hook trace_syscalls", hooks=hooks)] == ["ok"]
    (other,) = found("hook other", hooks=hooks)
    assert (other.verdict, other.what) == ("info", "other cannot run here: No probes.")


def test_the_main_hook_alone_is_a_problem_where_it_cannot_run(found: Found) -> None:
    hooks = (HookFacts(name="trace_syscalls", unavailable="This kernel has no events."),)
    (finding,) = found("hook trace_syscalls", hooks=hooks)
    assert finding.verdict == "problem"


def test_hooks_are_not_judged_where_events_could_not_be_read(healthy: MachineFacts) -> None:
    facts = evolve(healthy, tracefs=TracefsFacts(has_folder=True, instances=DENIED))
    said = {one.subject: one for one in diagnose(facts) if "hook" in one.subject}
    assert list(said) == ["hooks"]
    assert "trace_syscalls" in said["hooks"].what


def recorder(name: str, events: str = "", tracer: str = "nop\n") -> RecorderFacts:
    return RecorderFacts(name=name, events=Reading(events), tracer=Reading(tracer))


@pytest.mark.parametrize(
    ("recorders", "verdict", "said", "mend"),
    [
        ([recorder("", "raw_syscalls:sys_enter")], "warning", "The top", "tracing/set_event"),
        ([recorder("a", "sched:x\nirq:y")], "info", "2 events on (irq, sched)", "a/set_event"),
        ([recorder("a", tracer="function\n")], "warning", "tracer function", "echo nop >"),
        (
            [recorder("a; b", "irq:y")],
            "info",
            "instance a; b",
            "'/sys/kernel/tracing/instances/a; b'",
        ),
        ([recorder("container-tracer_n_1", "syscalls:x")], "ok", "Nobody else", ""),
    ],
)
def test_others_who_record_are_told_by_name(
    found: Found, recorders: list[RecorderFacts], verdict: str, said: str, mend: str
) -> None:
    (finding,) = found("other tracers", "tracefs", recorders=tuple(recorders))
    assert finding.verdict == verdict
    assert said in finding.what
    assert mend in finding.mend


def test_events_that_are_on_while_recording_is_off_are_told_so(found: Found) -> None:
    idle = evolve(recorder("a", "irq:y"), tracing_on=Reading("0\n"))
    (finding,) = found("other tracers", "tracefs", recorders=(idle,))
    assert finding.what == "The instance a has 1 event on (irq), but recording is off."


def test_an_instance_of_ours_without_a_node_is_a_leftover(healthy: MachineFacts) -> None:
    tracefs = evolve(healthy.tracefs, recorders=(recorder("container-tracer_n_0a"),))
    left = evolve(healthy, tracefs=tracefs)
    (finding,) = [one for one in diagnose(left) if one.subject == "instances"]
    assert finding.verdict == "warning"
    assert "rmdir /sys/kernel/tracing/instances/container-tracer_n_0a" in finding.mend
    private = ("python3", "-m", "container_tracer.entrypoints.cli.attached_node")
    for command in (("tracer-node",), private):
        around = evolve(healthy.surroundings, commands={5: command})
        findings = diagnose(evolve(left, surroundings=around))
        (finding,) = [one for one in findings if one.subject == "instances"]
        assert (finding.verdict, finding.mend) == ("info", "")
        assert "(pid 5)" in finding.what


def test_modules_that_are_watched_for_are_those_there_are() -> None:
    assert find_spec("container_tracer.entrypoints.node.__main__")
    assert find_spec("container_tracer.entrypoints.cli.attached_node")


def test_a_price_of_nothing_divides_by_nothing(found: Found) -> None:
    (finding,) = found("bystanders", price=BystanderPrice(idle_ns=0.0, traced_ns=90.0))
    assert finding.verdict == "warning"
