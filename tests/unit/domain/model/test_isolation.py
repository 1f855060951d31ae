import pytest

from container_tracer.domain.model.isolation import IsolatedContainer, admit, admit_some
from container_tracer.domain.model.pod import Container

PLAIN = Container(name="web", pod="shop", runtime="runc")
KATA = Container(name="db", pod="shop", runtime="kata-qemu", isolated=True)
OTHER_KATA = Container(name="cache", pod="shop", isolated=True)


def test_containers_in_virtual_machines_are_refused_and_the_others_taken() -> None:
    admitted = admit((PLAIN, KATA), vmm=False)

    assert admitted.taken == (PLAIN,)
    (refusal,) = admitted.refused
    assert refusal.container == KATA
    assert refusal.reason == (
        "Container db of pod shop runs in a virtual machine (kata-qemu); host tracing would show"
        ' the VMM, not the program. Ask for the VMM with "vmm": true, or --vmm.'
    )


def test_whoever_asks_for_the_vmm_gets_it() -> None:
    admitted = admit((PLAIN, KATA), vmm=True)

    assert (admitted.taken, admitted.refused) == ((PLAIN, KATA), ())


def test_nothing_is_refused_of_nothing() -> None:
    assert admit_some((), vmm=False) == admit((), vmm=False)


def test_where_nothing_else_is_selected_that_is_an_error_with_the_reason() -> None:
    with pytest.raises(IsolatedContainer, match=r"Container db of .* \(kata-qemu\).*--vmm\.$"):
        admit_some((KATA,), vmm=False)
    with pytest.raises(IsolatedContainer, match=r"--vmm\. The same goes for 1 more that match\.$"):
        admit_some((KATA, OTHER_KATA), vmm=False)
    assert admit_some((PLAIN, KATA), vmm=False).taken == (PLAIN,)
    assert admit_some((KATA,), vmm=True).taken == (KATA,)
