"""What a user asks of `trace_syscalls`, worked out for a kernel."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.hook import TracePlan
from container_tracer.domain.model.hooks.trace_syscalls import TraceSyscalls
from container_tracer.domain.model.session_request import InvalidArguments
from container_tracer.domain.model.task_events import TASK_EVENTS

HOOK = TraceSyscalls()
CALLS = ("read", "pread64", "readv", "openat", "open", "newfstat", "newstat", "write", "umount")
EVENTS = frozenset(
    {
        *(f"syscalls:sys_{end}_{call}" for end in ("enter", "exit") for call in CALLS),
        *TASK_EVENTS,
        "syscalls:sys_enter_halved",
        "sched:sched_switch",
    }
)
ALL = frozenset({"read", "pread64", "readv", "openat", "open", "fstat", "stat", "write", "umount2"})


def plan(arguments: str) -> TracePlan:
    return HOOK.plan(arguments, EVENTS)


def events_of(*kernel_names: str) -> frozenset[str]:
    return frozenset(
        f"syscalls:sys_{end}_{one}" for end in ("enter", "exit") for one in kernel_names
    )


def test_no_arguments_mean_all_calls_for_ever() -> None:
    found = plan("")
    assert found.events == events_of(*CALLS)
    assert (found.spans.names, found.spans.min_duration_ns, found.duration_ns) == (None, 0, 0)
    assert not found.spans.errors_only


@pytest.mark.parametrize(
    ("arguments", "names", "kernel_names"),
    [
        ("-s read", {"read"}, ["read"]),
        ("--syscall read", {"read"}, ["read"]),
        ("--syscall=read", {"read"}, ["read"]),
        ("-sread", {"read"}, ["read"]),
        ("-s read write", {"read", "write"}, ["read", "write"]),
        ("-s read -s write", {"read", "write"}, ["read", "write"]),
        ("-s read,write", {"read", "write"}, ["read", "write"]),
        ("-s ,read,,", {"read"}, ["read"]),
        ("-s '' read", {"read"}, ["read"]),
        ("-s read read", {"read"}, ["read"]),
        ("-s 'read' \"write\"", {"read", "write"}, ["read", "write"]),
        ("-s read*", {"read", "readv"}, ["read", "readv"]),
        ("-s '*read*'", {"read", "pread64", "readv"}, ["read", "pread64", "readv"]),
        ("-s open?t", {"openat"}, ["openat"]),
        ("-s [rw]*", {"read", "readv", "write"}, ["read", "readv", "write"]),
        ("-s *", ALL, CALLS),
        ("-s fstat", {"fstat"}, ["newfstat"]),
        ("-s newfstat", {"fstat"}, ["newfstat"]),
        ("-s new*", {"fstat", "stat"}, ["newfstat", "newstat"]),
        ("-s umount2", {"umount2"}, ["umount"]),
        ("-s umount", {"umount2"}, ["umount"]),
    ],
)
def test_calls_are_chosen_by_name_list_and_wildcard(
    arguments: str, names: set[str], kernel_names: list[str]
) -> None:
    found = plan(arguments)
    assert found.spans.names == frozenset(names)
    assert found.events == events_of(*kernel_names)


@pytest.mark.parametrize(
    ("arguments", "ns"),
    [
        ("-t 100", 100_000_000),
        ("--time 1.5", 1_500_000),
        ("--time=2s", 2_000_000_000),
        ("-t500us", 500_000),
        ("-t 1 -t 2", 2_000_000),
        ("-t 0", 0),
    ],
)
def test_time_is_milliseconds_unless_it_says_otherwise(arguments: str, ns: int) -> None:
    assert plan(arguments).duration_ns == ns


def test_every_argument_together() -> None:
    found = plan("-s openat --min-duration 500us --errors-only -t 1s")
    assert found.spans.names == frozenset({"openat"})
    assert (found.spans.min_duration_ns, found.spans.errors_only) == (500_000, True)
    assert found.duration_ns == 1_000_000_000


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("opneat", "did you mean openat"),
        ("OPENAT", "did you mean openat"),
        ("redv", "did you mean readv, read"),
        ("frobnicate", "see syscalls(2)"),
        ("zz*", "see syscalls(2)"),
        ("[", "see syscalls(2)"),
        ("/etc/passwd", "see syscalls(2)"),
        ("../../events", "see syscalls(2)"),
        ("syscalls:sys_enter_halved", "see syscalls(2)"),
        ("halved", "see syscalls(2)"),
    ],
)
def test_an_unknown_call_is_refused_with_those_that_are_near(word: str, hint: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        plan(f"-s read {word}")
    assert f"no system call {word!r}" in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("--pid 1", "unrecognized arguments: --pid 1"),
        ("--instance x", "unrecognized arguments: --instance x"),
        ("-p 1", "unrecognized arguments: -p 1"),
        ("-s read --pid=1", "unrecognized arguments: --pid=1"),
        ("--", "unrecognized arguments: --"),
        ("-s read -- --pid 1", "unrecognized arguments: --"),
        ("read", "unrecognized arguments: read"),
        ("--sys read", "unrecognized arguments: --sys read"),
        ("-s", "expected at least one argument"),
        ("-s --errors-only", "expected at least one argument"),
        ("--syscall=", "expected the name of a system call"),
        ("-s ''", "expected the name of a system call"),
        ("-s , ,,", "expected the name of a system call"),
        ("-s 'read", "no closing quotation"),
        ("-s read\x00", "control characters"),
        ("-s read\n-t 1", "control characters"),
        ("-s 'read\nwrite'", "control characters"),
        ("-s " + "read," * 20_000, "at most 8192 characters"),
        ("--errors-only=yes", "ignored explicit argument"),
        ("-t", "expected one argument"),
        ("-t soon", "--time: 'soon' is no duration"),
        ("-t -5", "--time: '-5' is no duration"),
        ("-t ''", "--time: '' is no duration"),
        ("-t 1e3", "--time: '1e3' is no duration"),
        ("-t 999999999999m", "longer than any trace can be"),
        ("--min-duration 1h", "--min-duration: '1h' is no duration"),
        ("--min-duration nan", "'nan' is no duration"),
    ],
)
def test_what_is_no_argument_of_the_hook_is_refused_in_a_sentence(
    arguments: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidArguments) as caught:
        plan(arguments)
    message = str(caught.value)
    assert message.startswith("trace_syscalls: ")
    assert why in message
    assert "-s/--syscall NAME...; -t/--time MS; --min-duration DURATION; --errors-only" in message
    assert message.isprintable()
    assert len(message) < 500
    assert capfd.readouterr() == ("", "")


def test_as_many_wildcards_as_fit_are_soon_worked_out() -> None:
    words = ",".join(f"*{one}{other}*" for one in "abcdefghijklmn" for other in "aeioutrs")
    with pytest.raises(InvalidArguments, match="no system call"):
        plan(f"-s {words}")
    assert plan("-s " + "r*,[a-z]*," * 700).spans.names == ALL


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.text(max_size=12) | st.sampled_from(["-s", "-t", "read", "5", "--pid"])))
def test_whatever_is_asked_the_plan_has_no_events_but_those_of_calls(words: list[str]) -> None:
    try:
        found = plan(shlex.join(words))
    except InvalidArguments:
        return
    assert found.events <= events_of(*CALLS)
    assert found.events
    assert found.spans.names is None or found.spans.names <= ALL


def test_a_kernel_without_the_events_is_told_why() -> None:
    assert HOOK.unavailable(EVENTS) == ""
    assert "CONFIG_FTRACE_SYSCALLS" in HOOK.unavailable(frozenset(TASK_EVENTS))
    missing = EVENTS - {TASK_EVENTS[0]}
    assert HOOK.unavailable(missing) == f"This kernel lacks events: {TASK_EVENTS[0]}."


def test_the_hook_describes_every_argument_it_takes() -> None:
    flags = [flag for one in HOOK.arguments for flag in one.flags]
    assert flags == ["-s", "--syscall", "-t", "--time", "--min-duration", "--errors-only"]
    assert all(one.description for one in HOOK.arguments)
    example = next(line for line in HOOK.description if line.startswith("Example: "))
    assert plan(example.removeprefix("Example: ")).spans.min_duration_ns == 1_000_000
