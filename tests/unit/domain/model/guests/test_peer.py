import pytest

from container_tracer.domain.model.guests.peer import GuestCid, GuestPeer, peer_by_cid

ID = "0123456789abcdef" * 4
QEMU = (
    f"/opt/kata/bin/qemu-system-x86_64 -name sandbox-{ID} -device vhost-vsock-pci,vhostfd=3,"
    "id=vsock-555233078,guest-cid=555233078,romfile= -m 2048M"
)
OTHER = (
    "/usr/bin/stratovirt -device vhost-vsock-pci,guest-cid=5552330 -qmp unix:/run/vc/vm/b/q.sock"
)


@pytest.mark.parametrize(
    ("cid", "lines", "sandbox", "vmm"),
    [
        (555233078, [OTHER, QEMU], ID, "qemu-system-x86_64"),
        (5552330, [OTHER, QEMU], "b", "stratovirt"),
        (55523307, [OTHER, QEMU], "", ""),
        (7, ["qemu-system-x86_64 -device vhost-vsock-ccw,guest-cid=7"], "", "qemu-system-x86_64"),
        (555233078, [QEMU, QEMU.replace(ID, "f" * 64)], "", ""),
    ],
    ids=["kata", "its like", "prefix", "no kata", "two claim it"],
)
def test_the_program_that_was_given_a_number_names_the_sandbox(
    cid: int, lines: list[str], sandbox: str, vmm: str
) -> None:
    wanted = GuestPeer(address=f"vsock:{cid}", sandbox_id=sandbox, vmm=vmm)
    assert peer_by_cid(GuestCid(cid), lines) == wanted
