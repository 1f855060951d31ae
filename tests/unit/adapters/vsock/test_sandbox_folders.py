import os
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from container_tracer.adapters.vsock.sandbox_folders import SandboxFolders


def found(*run_paths: Path) -> dict[str, tuple[str, str]]:
    folders = SandboxFolders(run_paths=run_paths, watch=lambda _: None)
    return {
        str(Path(one.address.path).relative_to(run_paths[0])): (
            one.address.sandbox_id,
            one.address.vmm,
        )
        for one in folders.sockets()
    }


def test_sockets_of_every_monitor_are_found_and_say_whose_they_are(socket_folder: Path) -> None:
    places = {
        "vc/vm/one/clh.sock": ("one", "cloud-hypervisor"),
        "vc/firecracker/two/root/kata.hvsock": ("two", "firecracker"),
        "kata/three/ch-vm.sock": ("three", "cloud-hypervisor"),
        "kata/four/root/kata.hvsock": ("four", ""),
        "kata/five/kata.hvsock": ("five", "firecracker"),
        "kata/firecracker/six/root/kata.hvsock": ("six", "firecracker"),
        "kata/seven/vsock.sock": ("seven", "openvmm"),
    }
    with ExitStack() as stack:
        for place in [*places, "vc/vm/one/other.sock", "kata/x/y/z/root/kata.hvsock"]:
            (socket_folder / place).parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(socket.socket(socket.AF_UNIX)).bind(str(socket_folder / place))
        assert found(socket_folder) == places


def test_a_run_path_that_is_there_twice_counts_once(socket_folder: Path) -> None:
    run, var_run = socket_folder / "run", socket_folder / "var"
    (run / "vc/vm/one").mkdir(parents=True)
    var_run.symlink_to(run)
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.bind(str(run / "vc/vm/one/clh.sock"))
        missing = socket_folder / "missing"
        folders = SandboxFolders(run_paths=[run, var_run, missing], watch=lambda _: None)
        assert len(list(folders.sockets())) == 1


def test_no_link_is_followed(socket_folder: Path) -> None:
    run = socket_folder / "run"
    victim = socket_folder / "victim"
    for folder in (victim / "root", run / "kata/one", run / "kata/two/root", run / "vc/vm"):
        folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.bind(str(victim / "root/kata.hvsock"))
        (run / "kata/one/root").symlink_to(victim / "root")
        (run / "kata/two/root/kata.hvsock").symlink_to(victim / "root/kata.hvsock")
        (run / "kata/three").symlink_to(victim)
        (run / "kata/four").write_text("a file")
        assert found(run) == {}


def test_every_folder_in_which_one_could_appear_is_watched(socket_folder: Path) -> None:
    (socket_folder / "vc/vm/one").mkdir(parents=True)
    (socket_folder / "kata/two/root").mkdir(parents=True)
    watched = set[str]()

    def watch(folder: int) -> None:
        path = os.readlink(f"/proc/self/fd/{folder}")  # noqa: PTH115
        watched.add(str(Path(path).relative_to(socket_folder)))

    assert list(SandboxFolders(run_paths=[socket_folder], watch=watch).sockets()) == []
    assert watched == {".", "vc", "vc/vm", "vc/vm/one", "kata", "kata/two", "kata/two/root"}


def test_what_is_looked_at_is_let_go(socket_folder: Path) -> None:
    (socket_folder / "kata/two/root").mkdir(parents=True)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        list(SandboxFolders(run_paths=[socket_folder], watch=lambda _: None).sockets())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_is_forbidden_is_said_and_hides_nothing_else(
    socket_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (socket_folder / f"vc/firecracker/{name}/root").mkdir(parents=True)
    denied, really_open = list[str](), os.open

    def forbid(name: str, flags: int, *, dir_fd: int | None = None) -> int:
        if name == "b":
            raise PermissionError(13, "Permission denied")
        return really_open(name, flags, dir_fd=dir_fd)

    with socket.socket(socket.AF_UNIX) as monitor, monkeypatch.context() as patch:
        monitor.bind(str(socket_folder / "vc/firecracker/c/root/kata.hvsock"))
        patch.setattr(os, "open", forbid)
        folders = SandboxFolders(
            run_paths=[socket_folder], watch=lambda _: None, deny=denied.append
        )
        assert [one.address.sandbox_id for one in folders.sockets()] == ["c"]
    assert denied == [str(socket_folder / "vc/firecracker/b")]
