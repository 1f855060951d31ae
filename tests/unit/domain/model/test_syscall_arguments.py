"""64 raw bits are shown as what the call takes them for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.event_format import EventFormat
from container_tracer.domain.model.syscall_arguments import argument_renderer
from container_tracer.domain.model.syscalls import SyscallTable

NOISE = 0xDEAD_BEEF << 32
"""What may stand above a value of 32 bits."""


def minus(number: int, *, bits: int = 64) -> int:
    return (1 << bits) - number


@pytest.mark.parametrize(
    ("call", "name", "type_name", "raw", "shown"),
    [
        ("openat", "dfd", "int", minus(100), "AT_FDCWD"),
        ("openat", "dfd", "int", minus(100, bits=32), "AT_FDCWD"),
        ("openat", "dfd", "int", NOISE | 7, 7),
        ("openat", "dfd", "int", minus(1), -1),
        ("renameat2", "newdfd", "int", minus(100, bits=32), "AT_FDCWD"),
        ("close", "fd", "unsigned int", minus(1, bits=32), -1),
        ("mmap", "fd", "unsigned long", minus(1), -1),
        ("read", "fd", "unsigned int", NOISE | 3, 3),
    ],
)
def test_descriptors_are_signed_and_directories_have_a_name(
    call: str, name: str, type_name: str, raw: int, shown: int | str
) -> None:
    assert argument_renderer(call, name, type_name)(raw) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (0, "O_RDONLY"),
        (1, "O_WRONLY"),
        (2, "O_RDWR"),
        (3, "O_ACCMODE"),
        (0o1101, "O_WRONLY|O_CREAT|O_TRUNC"),
        (0o2000000, "O_RDONLY|O_CLOEXEC"),
        (0o4010000, "O_RDONLY|O_SYNC"),
        (0o10000, "O_RDONLY|O_DSYNC"),
        (0o20200002, "O_RDWR|O_TMPFILE"),
        (0o200000, "O_RDONLY|O_DIRECTORY"),
        (0x8000_0000, "O_RDONLY|0x80000000"),
        (NOISE | 0o1, "O_WRONLY"),
    ],
)
def test_open_flags_have_names_and_what_has_none_is_hex(raw: int, shown: str) -> None:
    assert argument_renderer("openat", "flags", "int")(raw) == shown
    assert argument_renderer("open", "flags", "int")(raw) == shown


@pytest.mark.parametrize(
    ("call", "name", "raw", "shown"),
    [
        ("mmap", "prot", 0, "PROT_NONE"),
        ("mprotect", "prot", 7, "PROT_READ|PROT_WRITE|PROT_EXEC"),
        ("mprotect", "prot", 0x100_0001, "PROT_READ|0x1000000"),
        ("mmap", "flags", 0x22, "MAP_PRIVATE|MAP_ANONYMOUS"),
        ("mmap", "flags", 0x4000_0002, "MAP_PRIVATE|0x40000000"),
        ("unlinkat", "flag", 0x200, "AT_REMOVEDIR"),
        ("newfstatat", "flag", 0, "0"),
        ("statx", "flags", 0x1100, "AT_SYMLINK_NOFOLLOW|AT_EMPTY_PATH"),
    ],
)
def test_flags_have_names_and_what_has_none_is_hex(
    call: str, name: str, raw: int, shown: str
) -> None:
    assert argument_renderer(call, name, "unsigned long")(raw) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (0, "0"),
        (17, "SIGCHLD"),
        (0x10F00, "CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD"),
        (0x01200011, "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD"),
        (0x4111, "CLONE_VM|CLONE_VFORK|SIGCHLD"),
        (64, "64"),
    ],
)
def test_clone_flags_end_with_the_signal_of_the_childs_end(raw: int, shown: str) -> None:
    assert argument_renderer("clone", "clone_flags", "unsigned long")(raw) == shown


def test_unshare_takes_clone_flags() -> None:
    render = argument_renderer("unshare", "unshare_flags", "unsigned long")
    assert render(0x20020000) == "CLONE_NEWNS|CLONE_NEWPID"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [(9, "SIGKILL"), (15, "SIGTERM"), (31, "SIGSYS"), (0, 0), (34, 34), (minus(1), -1)],
)
def test_signals_have_names_where_they_have_one(raw: int, shown: int | str) -> None:
    assert argument_renderer("kill", "sig", "int")(raw) == shown


@pytest.mark.parametrize(
    ("raw", "shown"), [(0o644, "0o644"), (0, "0o0"), (0o104755, "0o104755"), (NOISE | 0o7, "0o7")]
)
def test_modes_are_octal_without_noise(raw: int, shown: str) -> None:
    assert argument_renderer("openat", "mode", "umode_t")(raw) == shown
    assert argument_renderer("mq_open", "mode", "umode_t")(raw) == shown


@pytest.mark.parametrize("call", ["access", "faccessat", "fallocate", "set_mempolicy"])
def test_a_mode_that_is_no_umode_is_a_number(call: str) -> None:
    assert argument_renderer(call, "mode", "int")(NOISE | 4) == 4


@pytest.mark.parametrize(
    ("type_name", "raw", "shown"),
    [
        ("const char *", 0, "NULL"),
        ("const char *", 0x7FFF_0000_1000, "0x7fff00001000"),
        ("const char *const *", 16, "0x10"),
        ("cap_user_header_t", 0, "NULL"),
        ("int", minus(1, bits=32), -1),
        ("int", NOISE | 0x7FFF_FFFF, 0x7FFF_FFFF),
        ("const int", NOISE | 5, 5),
        ("pid_t", minus(1), -1),
        ("unsigned int", NOISE | minus(1, bits=32), 4294967295),
        ("u32", NOISE | 1, 1),
        ("const __u32", NOISE | 1, 1),
        ("uid_t", minus(1), 4294967295),
        ("const enum landlock_rule_type", NOISE | 1, 1),
        ("long", minus(1), -1),
        ("loff_t", minus(4096), -4096),
        ("size_t", minus(1), 2**64 - 1),
        ("unsigned long", 2**63, 2**63),
        ("something unheard of", 7, 7),
    ],
)
def test_numbers_are_as_wide_and_as_signed_as_their_type(
    type_name: str, raw: int, shown: int | str
) -> None:
    assert argument_renderer("call", "what", type_name)(raw) == shown


def test_a_pointer_is_one_whatever_its_name() -> None:
    assert argument_renderer("read", "fd", "int *")(16) == "0x10"


def test_addresses_are_shown_as_pointers() -> None:
    assert argument_renderer("mmap", "addr", "unsigned long")(4096) == "0x1000"


@settings(max_examples=40, derandomize=True, deadline=None)
@given(raw=st.integers(0, 2**64 - 1) | st.sampled_from([0, 2**32 - 1, 2**63, 2**64 - 1]))
def test_every_argument_of_a_recorded_kernel_can_be_shown_whatever_its_bits(
    recorded_formats: dict[str, EventFormat], raw: int
) -> None:
    calls = {name: one for name, one in recorded_formats.items() if name.startswith("syscalls:")}
    for kind in SyscallTable.of(calls).kinds:
        for one in kind.arguments:
            shown = one.render(raw)
            assert isinstance(shown, (int, str))
            assert shown != ""
            wide = "long" in one.type_name or "size_t" in one.type_name or "64" in one.type_name
            if isinstance(shown, int) and not wide:
                assert -(2**63) <= shown < 2**64
