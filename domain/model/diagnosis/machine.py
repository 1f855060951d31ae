"""The diagnosis of a machine: every rule, in the order a person reads about them."""

from collections.abc import Callable, Iterator

from . import access, features, hardware, surroundings, tracing
from .facts import KernelFacts, MachineFacts
from .finding import Finding, info, problem

_WIDE = ("64", "s390x")


def diagnose(facts: MachineFacts) -> tuple[Finding, ...]:
    """Turn facts into findings; what was not found out is said, never taken for fine."""
    return tuple(finding for rule in _rules() for finding in rule(facts))


def kernel(facts: MachineFacts) -> Iterator[Finding]:
    """Which kernel this is; those of 32 bits lay out buffers in another way."""
    if _is_wide(facts.kernel):
        yield info("kernel", f"Linux {facts.kernel.release} on {facts.kernel.architecture}.")
    else:
        yield problem(
            "kernel",
            f"Linux {facts.kernel.release} on {facts.kernel.architecture} is no 64-bit kernel.",
            mend="boot a 64-bit kernel",
        )


def _is_wide(facts: KernelFacts) -> bool:
    return any(part in facts.architecture for part in _WIDE)


def _rules() -> tuple[Callable[[MachineFacts], Iterator[Finding]], ...]:
    return (
        kernel,
        access.user,
        access.lockdown,
        access.security_modules,
        access.pid_namespace,
        access.hidden_processes,
        tracing.mounted,
        tracing.events,
        features.hooks,
        features.dynamic_events,
        features.function_tracer,
        features.perf,
        features.bpf,
        tracing.clocks,
        hardware.clock_source,
        tracing.overwriting,
        hardware.processors,
        hardware.memory,
        hardware.files,
        surroundings.cgroups,
        surroundings.containers,
        surroundings.runtimes,
        surroundings.virtual_machines,
        surroundings.nodes,
        tracing.our_instances,
        tracing.other_tracers,
        surroundings.price,
    )
