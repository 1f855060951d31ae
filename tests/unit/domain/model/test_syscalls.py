"""The kernel's formats say which calls there are, what they are called and what they take."""

import numpy as np
import pytest
from attrs import evolve

from container_tracer.domain.model.event_format import EventFormat, Placement
from container_tracer.domain.model.spans import SpanKind
from container_tracer.domain.model.syscalls import (
    ENTER,
    ENTER_PREFIX,
    EXIT,
    EXIT_PREFIX,
    REAL_NAMES,
    CallRole,
    SyscallTable,
    real_name,
    syscall_names,
)
from container_tracer.domain.model.task_events import EXIT as TASK_EXIT
from container_tracer.fakes.event_tables import MADE_FORMATS, call_formats, made_format

OPENAT = (
    ("dfd", "int"),
    ("filename", "const char *"),
    ("flags", "int"),
    ("mode", "umode_t"),
)


@pytest.fixture(scope="module")
def recorded(recorded_formats: dict[str, EventFormat]) -> SyscallTable:
    return SyscallTable.of(recorded_formats)


def kinds(table: SyscallTable) -> dict[str, SpanKind]:
    return {one.name: one for one in table.kinds}


def names(formats: dict[str, EventFormat]) -> list[str]:
    return [one.name for one in SyscallTable.of(formats).kinds]


def test_every_call_of_a_recorded_kernel_is_a_kind(
    recorded: SyscallTable, recorded_formats: dict[str, EventFormat]
) -> None:
    entries = [name for name in recorded_formats if name.startswith(ENTER_PREFIX)]
    assert len(recorded.kinds) == len(entries) > 350
    assert len(kinds(recorded)) == len(entries)


def test_every_event_of_a_recorded_kernel_has_its_role_and_kind(
    recorded: SyscallTable, recorded_formats: dict[str, EventFormat]
) -> None:
    for name, one in recorded_formats.items():
        role, kind = recorded.role[one.event_id], recorded.kind[one.event_id]
        if name.startswith(ENTER_PREFIX):
            call = name.removeprefix(ENTER_PREFIX)
            entry = CallRole.MOMENT if call == "rt_sigreturn" else CallRole.ENTRY
            assert (role, recorded.kinds[kind].name) == (entry, real_name(call))
        elif name.startswith(EXIT_PREFIX):
            call = name.removeprefix(EXIT_PREFIX)
            assert (role, recorded.kinds[kind].name) == (CallRole.RETURN, real_name(call))
        else:
            assert role == (CallRole.TASK_END if name == TASK_EXIT else CallRole.NONE)
            assert kind == -1


@pytest.mark.parametrize(("kernel", "real"), REAL_NAMES.items())
def test_calls_go_by_the_names_people_know(recorded: SyscallTable, kernel: str, real: str) -> None:
    assert real in kinds(recorded)
    assert kernel not in kinds(recorded)


def test_calls_without_a_name_of_their_own_keep_the_kernels() -> None:
    assert [real_name(one) for one in ("openat", "newfstatat", "pread64")] == [
        "openat",
        "newfstatat",
        "pread64",
    ]


def test_arguments_are_those_of_the_format(recorded: SyscallTable) -> None:
    found = kinds(recorded)
    assert [(one.name, one.type_name) for one in found["openat"].arguments] == [*OPENAT]
    assert [one.name for one in found["mmap"].arguments] == [
        "addr",
        "len",
        "prot",
        "flags",
        "fd",
        "off",
    ]
    assert found["getpid"].arguments == ()


def test_only_calls_that_do_not_return_never_do(recorded: SyscallTable) -> None:
    never = {
        kind.name for kind, one in zip(recorded.kinds, recorded.never_returns, strict=True) if one
    }
    assert never == {"exit", "exit_group", "rt_sigreturn"}


def test_entries_and_returns_have_a_layout_each() -> None:
    table = SyscallTable.of(MADE_FORMATS)
    calls = sum(name.startswith(ENTER_PREFIX) for name in MADE_FORMATS)
    (entry, entries), (leaving, returns) = table.layouts()
    assert (entry, leaving) == (ENTER, EXIT)
    assert len(entries) == len(returns) == calls
    assert MADE_FORMATS[ENTER_PREFIX + "rt_sigreturn"].event_id in entries
    assert not set(entries) & set(returns)


def test_layouts_read_what_formats_describe(recorded_formats: dict[str, EventFormat]) -> None:
    entry, leaving = (recorded_formats[one + "mmap"] for one in (ENTER_PREFIX, EXIT_PREFIX))
    record = np.zeros(entry.size, dtype=np.uint8)
    record.view(entry.dtype)["fd"] = 2**64 - 1
    assert record.view(ENTER.dtype)["arguments"].tolist() == [[0, 0, 0, 0, 2**64 - 1, 0]]
    assert (ENTER.least, EXIT.least, EXIT.dtype.itemsize) == (12, leaving.size, leaving.size)


def test_names_of_calls_are_those_with_both_events() -> None:
    events = {"syscalls:sys_enter_newfstat", "syscalls:sys_exit_newfstat", "sched:sched_switch"}
    half = {"syscalls:sys_enter_read", "syscalls:sys_exit_write"}
    assert syscall_names(frozenset(events | half)) == {"fstat": "newfstat"}
    assert syscall_names(frozenset()) == {}


def test_kinds_are_numbered_by_name_whatever_the_order_of_formats() -> None:
    backwards = dict(reversed([*MADE_FORMATS.items()]))
    assert names(backwards) == names(dict(MADE_FORMATS))


def test_no_formats_make_an_empty_table() -> None:
    table = SyscallTable.of({})
    assert (len(table.kinds), int(table.role.max()), int(table.kind.max())) == (0, 0, -1)


def broken(offset: int, size: int) -> dict[str, EventFormat]:
    """Move the second argument of a call; another call stays as it is."""
    formats = {**call_formats("openat", 10, *OPENAT), **call_formats("getpid", 12)}
    entry = formats[ENTER_PREFIX + "openat"]
    fields = [*entry.fields]
    fields[6] = evolve(fields[6], offset=offset, size=size)
    formats[ENTER_PREFIX + "openat"] = evolve(entry, fields=tuple(fields))
    return formats


@pytest.mark.parametrize(("offset", "size"), [(24, 4), (28, 8), (24, 16)])
def test_calls_with_arguments_in_unusual_places_are_left_out(offset: int, size: int) -> None:
    assert len(SyscallTable.of(broken(24, 8)).kinds) == 2
    table = SyscallTable.of(broken(offset, size))
    assert [one.name for one in table.kinds] == ["getpid"]
    assert (table.role[[10, 11]] == CallRole.NONE).all()


def test_calls_of_32_bit_kernels_are_left_out() -> None:
    entry, leaving = ENTER_PREFIX + "read", EXIT_PREFIX + "read"
    number = ("__syscall_nr", "int", 8, 4)
    formats = {
        entry: made_format(entry, 10, number, ("fd", "unsigned int", 12, 4)),
        leaving: made_format(leaving, 11, number, ("ret", "long", 12, 4)),
    }
    assert names(formats) == []


def test_calls_without_a_number_a_result_or_a_return_are_left_out() -> None:
    formats = call_formats("read", 10, ("fd", "int"))
    entry, leaving = formats[ENTER_PREFIX + "read"], formats[EXIT_PREFIX + "read"]
    for other in (
        {ENTER_PREFIX + "read": entry},
        {EXIT_PREFIX + "read": leaving},
        {**formats, ENTER_PREFIX + "read": evolve(entry, fields=entry.fields[:4])},
        {**formats, EXIT_PREFIX + "read": evolve(leaving, fields=leaving.fields[:5])},
    ):
        assert names(other) == []


def test_calls_of_more_arguments_than_registers_are_left_out() -> None:
    assert names(call_formats("many", 10, *((f"a{n}", "long") for n in range(7)))) == []


def test_text_behind_the_arguments_is_no_argument() -> None:
    formats = call_formats("openat", 10, *OPENAT)
    entry = formats[ENTER_PREFIX + "openat"]
    text = evolve(
        entry.fields[-1], name="__filename_val", offset=48, size=4, placement=Placement.DATA_LOC
    )
    formats[ENTER_PREFIX + "openat"] = evolve(entry, fields=(*entry.fields, text))
    (kind,) = SyscallTable.of(formats).kinds
    assert [one.name for one in kind.arguments] == [one[0] for one in OPENAT]


def test_results_that_are_addresses_are_shown_as_such(recorded: SyscallTable) -> None:
    found = kinds(recorded)
    assert found["mmap"].result_text(0x7F9DD7A70000) == "0x7f9dd7a70000"
    assert found["read"].result_text(832) == "832"
