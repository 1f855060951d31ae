"""Containers in virtual machines: from the host, only the machine's monitor (VMM) can be traced."""

from collections.abc import Iterable

from attrs import frozen

from .errors import RequestError
from .pod import Container


class IsolatedContainer(RequestError):
    """All that a session selects runs in virtual machines, and it does not ask for these."""


@frozen(kw_only=True)
class Refusal:
    """A container that a session must not trace, and why."""

    container: Container
    reason: str


@frozen(kw_only=True)
class Admitted:
    """Containers that were selected, apart: those a session takes, and those it must not."""

    taken: tuple[Container, ...]
    refused: tuple[Refusal, ...] = ()


def admit(containers: Iterable[Container], *, vmm: bool) -> Admitted:
    """Part containers a session may trace from those it must not.

    `vmm` says that of a container in a virtual machine the VMM is wanted.
    """
    taken, refused = [], []
    for one in containers:
        reason = "" if vmm else refusal_reason(one)
        if reason:
            refused.append(Refusal(container=one, reason=reason))
        else:
            taken.append(one)
    return Admitted(taken=tuple(taken), refused=tuple(refused))


def admit_some(containers: Iterable[Container], *, vmm: bool) -> Admitted:
    """Do as `admit`; raise `IsolatedContainer` where all of them are refused."""
    admitted = admit(containers, vmm=vmm)
    if admitted.refused and not admitted.taken:
        first, *others = admitted.refused
        more = f" The same goes for {len(others)} more that match." if others else ""
        raise IsolatedContainer(f"{first.reason}{more}")
    return admitted


def refusal_reason(container: Container) -> str:
    """Say why a container is not traced unless its VMM is asked for; empty if it is traced."""
    if not container.isolated:
        return ""
    runtime = f" ({container.runtime})" if container.runtime else ""
    return (
        f"Container {container.name} of pod {container.pod} runs in a virtual machine{runtime};"
        " host tracing would show the VMM, not the program. Ask for the VMM with"
        ' "vmm": true, or --vmm.'
    )
