import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from container_tracer.adapters.files.trace_file import TraceFile
from container_tracer.ports.errors import ExportFailed


def test_the_file_is_a_whole_document_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    file = TraceFile.create(path, head=b"[", tail=b"]")
    assert path.read_bytes() == b"[]"
    file.append(b"1")
    file.append(b",2")
    assert path.read_bytes() == b"[1,2]"
    file.close()
    assert path.read_bytes() == b"[1,2]"


def test_file_and_directory_are_not_for_everybody(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        TraceFile.create(tmp_path / "new" / "trace").close()
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "new" / "trace").stat().st_mode) == 0o640


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "trace").write_text("precious")
    with pytest.raises(ExportFailed, match="cannot be made: file exists"):
        TraceFile.create(tmp_path / "trace")
    assert (tmp_path / "trace").read_text() == "precious"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "trace").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ExportFailed, match="file exists"):
        TraceFile.create(tmp_path / "trace")
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportFailed, match=r"file/trace cannot be made: (not a dir|file exists)"):
        TraceFile.create(tmp_path / "file" / "trace")


def test_a_write_that_fails_halfway_leaves_the_file_as_it_was(
    tmp_path: Path, limit_file_size: Callable[[int], None]
) -> None:
    path = tmp_path / "trace"
    file = TraceFile.create(path, head=b"[", tail=b"\n]\n")
    file.append(b"good")
    limit_file_size(4096)
    with pytest.raises(ExportFailed, match=r"cannot take more: file too large; start the session"):
        file.append(b"x" * 10_000)
    assert path.read_bytes() == b"[good\n]\n"
    file.append(b", better")
    file.close()
    assert path.read_bytes() == b"[good, better\n]\n"


def test_a_file_that_cannot_take_its_head_is_not_left_behind(
    tmp_path: Path, limit_file_size: Callable[[int], None]
) -> None:
    limit_file_size(2)
    with pytest.raises(ExportFailed, match="file too large"):
        TraceFile.create(tmp_path / "trace", head=b"[\n", tail=b"\n]\n")
    assert list(tmp_path.iterdir()) == []


def test_closing_again_is_harmless_and_a_closed_file_takes_nothing(tmp_path: Path) -> None:
    file = TraceFile.create(tmp_path / "trace")
    file.close()
    file.close()
    with pytest.raises(ExportFailed, match="is closed"):
        file.append(b"late")
    assert (tmp_path / "trace").read_bytes() == b""
