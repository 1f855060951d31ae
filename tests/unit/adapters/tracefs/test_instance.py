"""The life of an instance, in a folder that only looks like tracefs."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from container_tracer.adapters.tracefs import instance as module
from container_tracer.adapters.tracefs.instance import Instance


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where instances are made: each has its files at once, and is removed with them."""
    make, remove = Path.mkdir, Path.rmdir

    def mkdir(path: Path, *arguments: Any) -> None:
        make(path, *arguments)
        (path / "tracing_on").write_text("1")
        (path / "set_event_pid").write_text("")

    def rmdir(path: Path) -> None:
        for file in path.iterdir():
            file.unlink()
        remove(path)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    monkeypatch.setattr(Path, "rmdir", rmdir)
    return tmp_path / "one"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_one_that_another_of_our_name_took_for_a_leftover_is_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, tries = os.open, []

    def removed_at_first(path: Path, flags: int) -> int:
        tries.append(path)
        if len(tries) == 1:
            folder.rmdir()
        return opened(path, flags)

    monkeypatch.setattr(os, "open", removed_at_first)
    instance = Instance(folder)
    instance.create()
    assert len(tries) == 2
    assert instance.read("tracing_on") == "0"
    instance.remove()


def test_it_is_made_not_recording_and_removed_whole(folder: Path) -> None:
    instance = Instance(folder)
    instance.create()
    assert instance.read("tracing_on") == "0"
    instance.record(on=True)
    assert instance.read("tracing_on") == "1"
    descriptors = open_files()
    instance.remove()
    instance.remove()
    assert not folder.exists()
    assert open_files() == descriptors - 1


def test_lists_are_written_word_by_word_whatever_a_write_takes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:7]))
    instance = Instance(folder)
    instance.create()
    instance.append("set_event_pid", map(str, range(100, 120)))
    instance.append("set_event_pid", ["5"])
    assert instance.read("set_event_pid").split() == [*map(str, range(100, 120)), "5"]
    instance.write("set_event_pid", "7\n")
    assert instance.read("set_event_pid") == "7\n"
    instance.remove()


def test_one_that_exists_is_not_taken_over(folder: Path) -> None:
    instance = Instance(folder)
    instance.create()
    with pytest.raises(FileExistsError):
        Instance(folder).create()
    instance.remove()


@pytest.mark.parametrize("failures", [3, 10_000])
def test_removal_is_tried_for_a_while(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    instance, attempts, real = Instance(folder), [], Path.rmdir
    instance.create()

    def busy(path: Path) -> None:
        attempts.append(path)
        if len(attempts) <= failures:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        real(path)

    monkeypatch.setattr(Path, "rmdir", busy)
    monkeypatch.setattr(module, "REMOVAL_SECONDS", 0.1 if failures > 3 else 10)
    if failures > 3:
        with pytest.raises(OSError, match="busy"):
            instance.remove()
    else:
        instance.remove()
        assert len(attempts) == 4
    assert folder.exists() == (failures > 3)


def test_one_that_somebody_else_removes_is_gone_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = Instance(folder)
    instance.create()

    def gone(_: Path) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "rmdir", gone)
    instance.remove()
