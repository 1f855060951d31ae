"""64 raw bits of a system call's argument → what a person reads.

The kernel keeps every argument in 64 bits, whatever its type; bits beyond the type are noise.
Meanings come from the argument's name and C type; numbers from include/uapi of Linux
(asm-generic, which x86 and arm64 share for these).
"""

from collections.abc import Callable, Mapping

from .value_shapes import pointer, signed_32, signed_64, unsigned_32

Renderer = Callable[[int], int | str]

AT_FDCWD = -100

_ACCESS = {0: "O_RDONLY", 1: "O_WRONLY", 2: "O_RDWR", 3: "O_ACCMODE"}
_OPEN_FLAGS = {
    0o100: "O_CREAT",
    0o200: "O_EXCL",
    0o400: "O_NOCTTY",
    0o1000: "O_TRUNC",
    0o2000: "O_APPEND",
    0o4000: "O_NONBLOCK",
    0o4010000: "O_SYNC",
    0o20200000: "O_TMPFILE",
    0o10000: "O_DSYNC",
    0o20000: "O_ASYNC",
    0o40000: "O_DIRECT",
    0o100000: "O_LARGEFILE",
    0o200000: "O_DIRECTORY",
    0o400000: "O_NOFOLLOW",
    0o1000000: "O_NOATIME",
    0o2000000: "O_CLOEXEC",
    0o10000000: "O_PATH",
}
_PROTECTION = {1: "PROT_READ", 2: "PROT_WRITE", 4: "PROT_EXEC"}
_MAP_FLAGS = {
    0x1: "MAP_SHARED",
    0x2: "MAP_PRIVATE",
    0x10: "MAP_FIXED",
    0x20: "MAP_ANONYMOUS",
    0x100: "MAP_GROWSDOWN",
    0x800: "MAP_DENYWRITE",
    0x2000: "MAP_LOCKED",
    0x4000: "MAP_NORESERVE",
    0x8000: "MAP_POPULATE",
    0x20000: "MAP_STACK",
    0x40000: "MAP_HUGETLB",
    0x100000: "MAP_FIXED_NOREPLACE",
}
_AT_FLAGS = {
    0x100: "AT_SYMLINK_NOFOLLOW",
    0x200: "AT_REMOVEDIR",
    0x400: "AT_SYMLINK_FOLLOW",
    0x800: "AT_NO_AUTOMOUNT",
    0x1000: "AT_EMPTY_PATH",
}
_CLONE_FLAGS = {
    0x100: "CLONE_VM",
    0x200: "CLONE_FS",
    0x400: "CLONE_FILES",
    0x800: "CLONE_SIGHAND",
    0x1000: "CLONE_PIDFD",
    0x2000: "CLONE_PTRACE",
    0x4000: "CLONE_VFORK",
    0x8000: "CLONE_PARENT",
    0x10000: "CLONE_THREAD",
    0x20000: "CLONE_NEWNS",
    0x40000: "CLONE_SYSVSEM",
    0x80000: "CLONE_SETTLS",
    0x100000: "CLONE_PARENT_SETTID",
    0x200000: "CLONE_CHILD_CLEARTID",
    0x1000000: "CLONE_CHILD_SETTID",
    0x2000000: "CLONE_NEWCGROUP",
    0x4000000: "CLONE_NEWUTS",
    0x8000000: "CLONE_NEWIPC",
    0x10000000: "CLONE_NEWUSER",
    0x20000000: "CLONE_NEWPID",
    0x40000000: "CLONE_NEWNET",
    0x80000000: "CLONE_IO",
}
_SIGNALS = tuple(
    f"SIG{name}"
    for name in (
        *("NONE", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1"),
        *("SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP"),
        *("TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS"),
    )
)


def argument_renderer(syscall: str, name: str, type_name: str) -> Renderer:
    """Choose how to show an argument of a call, by its name and C type."""
    plain_type = type_name.replace("const ", "").strip()
    if "*" in type_name:
        return pointer
    special = _BY_CALL.get((syscall, name)) or _BY_NAME.get(name)
    if special:
        return special
    return unsigned_32 if plain_type.startswith("enum ") else _BY_TYPE.get(plain_type, int)


def _mode(raw: int) -> str:
    return oct(raw & 0xFFFF)


def _directory(raw: int) -> int | str:
    descriptor = signed_32(raw)
    return "AT_FDCWD" if descriptor == AT_FDCWD else descriptor


def _signal(raw: int) -> int | str:
    number = signed_32(raw)
    return _SIGNALS[number] if 0 < number < len(_SIGNALS) else number


def _open_flags(raw: int) -> str:
    value = unsigned_32(raw)
    rest = value & ~3
    return "|".join([_ACCESS[value & 3], *([str(_OPEN_REST(rest))] if rest else [])])


def _flags(names: Mapping[int, str], none: str = "0") -> Renderer:
    """Show bits by name, the ones that combine others first, and what is left as hex."""
    order = sorted(names, key=lambda mask: -mask.bit_count())

    def render(raw: int) -> str:
        rest, parts = unsigned_32(raw), []
        for mask in order:
            if rest & mask == mask:
                parts.append((mask, names[mask]))
                rest &= ~mask
        shown = [name for _, name in sorted(parts)] + ([hex(rest)] if rest else [])
        return "|".join(shown) or none

    return render


def _clone_flags(raw: int) -> str:
    """Show flags and, in the lowest byte, the signal that tells of the child's end."""
    flags, signal = unsigned_32(raw) & ~0xFF, raw & 0xFF
    shown = [str(_CLONE_REST(flags))] if flags else []
    return "|".join([*shown, *([str(_signal(signal))] if signal else [])]) or "0"


_OPEN_REST, _CLONE_REST = _flags(_OPEN_FLAGS), _flags(_CLONE_FLAGS)
_BY_TYPE: Mapping[str, Renderer] = {
    **dict.fromkeys(("umode_t", "mode_t"), _mode),
    **dict.fromkeys(("int", "pid_t", "clockid_t", "timer_t", "key_t", "mqd_t", "__s32"), signed_32),
    **dict.fromkeys(("key_serial_t", "rwf_t"), signed_32),
    **dict.fromkeys(("unsigned int", "unsigned", "u32", "__u32"), unsigned_32),
    **dict.fromkeys(("uid_t", "gid_t", "qid_t"), unsigned_32),
    **dict.fromkeys(("cap_user_header_t", "cap_user_data_t"), pointer),
    **dict.fromkeys(("long", "off_t", "loff_t", "ssize_t"), signed_64),
}
_BY_NAME: Mapping[str, Renderer] = {
    "dfd": _directory,
    "dirfd": _directory,
    "olddfd": _directory,
    "newdfd": _directory,
    "fd": signed_32,
    "fildes": signed_32,
    "oldfd": signed_32,
    "newfd": signed_32,
    "sig": _signal,
    "addr": pointer,
    "clone_flags": _clone_flags,
}
_BY_CALL: Mapping[tuple[str, str], Renderer] = {
    ("open", "flags"): _open_flags,
    ("openat", "flags"): _open_flags,
    ("mmap", "prot"): _flags(_PROTECTION, "PROT_NONE"),
    ("mprotect", "prot"): _flags(_PROTECTION, "PROT_NONE"),
    ("mmap", "flags"): _flags(_MAP_FLAGS),
    ("mmap", "off"): int,
    ("newfstatat", "flag"): _flags(_AT_FLAGS),
    ("unlinkat", "flag"): _flags(_AT_FLAGS),
    ("statx", "flags"): _flags(_AT_FLAGS),
    ("linkat", "flags"): _flags(_AT_FLAGS),
    ("faccessat2", "flags"): _flags(_AT_FLAGS),
    ("unshare", "unshare_flags"): _clone_flags,
}
