from pathlib import Path

import pytest

from container_tracer.adapters.tracefs.mount import find_tracefs
from container_tracer.ports.errors import TracingUnavailable


@pytest.mark.parametrize("place", ["kernel/tracing", "kernel/debug/tracing"])
def test_tracefs_is_found_where_it_is_mounted(tmp_path: Path, place: str) -> None:
    (tmp_path / place / "instances").mkdir(parents=True)
    assert find_tracefs(tmp_path) == tmp_path / place


def test_its_own_mount_goes_before_that_inside_debugfs(tmp_path: Path) -> None:
    for place in ("kernel/debug/tracing", "kernel/tracing"):
        (tmp_path / place / "instances").mkdir(parents=True)
    assert find_tracefs(tmp_path) == tmp_path / "kernel/tracing"


def test_a_folder_without_a_mount_is_said_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "kernel/tracing").mkdir(parents=True)
    with pytest.raises(TracingUnavailable, match=r"mount -t tracefs nodev .*kernel/tracing"):
        find_tracefs(tmp_path)


@pytest.mark.parametrize("mount", [True, False])
def test_no_folder_is_no_tracing_and_nothing_is_mounted(tmp_path: Path, mount: bool) -> None:
    with pytest.raises(TracingUnavailable, match=r"CONFIG_FTRACE.*--sysfs-path"):
        find_tracefs(tmp_path, mount=mount)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_looked_into_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError

    (tmp_path / "kernel/tracing").mkdir(parents=True)
    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(TracingUnavailable, match="permission denied; run as root"):
        find_tracefs(tmp_path)
