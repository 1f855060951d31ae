"""The hooks that are built in."""

from ...domain.model.hook import TraceHook
from ...domain.model.hooks.trace_syscalls import TraceSyscalls


def built_in_hooks() -> tuple[TraceHook, ...]:
    """Make every hook of this version."""
    return (TraceSyscalls(),)
