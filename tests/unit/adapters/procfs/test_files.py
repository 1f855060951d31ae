import os
from pathlib import Path

import pytest

from container_tracer.adapters.procfs.files import read_inside, read_record, read_whole


def test_a_long_file_is_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_bytes(b"x" * 200_000)

    assert len(read_whole(str(file))) == 200_000
    assert len(read_record(str(file))) == 16_384


def test_a_file_of_a_container_is_read_through_the_link_to_its_root(tmp_path: Path) -> None:
    (tmp_path / "rootfs" / "etc").mkdir(parents=True)
    (tmp_path / "rootfs" / "etc" / "hostname").write_text("web-0\n")
    (tmp_path / "root").symlink_to("rootfs")

    assert read_inside(str(tmp_path / "root"), "etc", "hostname", limit=3) == b"web"


@pytest.mark.parametrize("trap", ["etc", "hostname"])
def test_a_link_inside_of_a_container_is_not_followed(tmp_path: Path, trap: str) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "hostname").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    if trap == "etc":
        (root / "etc").symlink_to(tmp_path / "secrets")
    else:
        (root / "etc").mkdir()
        (root / "etc" / "hostname").symlink_to(tmp_path / "secrets" / "hostname")

    try:
        text = read_inside(str(root), "etc", "hostname", limit=256)
    except OSError:
        text = b""
    assert text == b""


def test_a_pipe_inside_of_a_container_keeps_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc" / "hostname")

    assert read_inside(str(tmp_path), "etc", "hostname", limit=256) == b""


def test_reading_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for names in (("etc", "hostname"), ("a", "b", "c")):
        with pytest.raises(FileNotFoundError):
            read_inside(str(tmp_path), *names, limit=1)
    with pytest.raises(FileNotFoundError):
        read_whole(str(tmp_path / "none"))

    assert len(list(Path("/proc/self/fd").iterdir())) == before
