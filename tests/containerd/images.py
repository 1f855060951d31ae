"""Container images made on the spot, as OCI layouts in tar archives: no registry is needed.

There are two: the one of a pod's first process, and one with busybox and the programs of this
folder. The formats are those of the OCI image specification (image-layout.md, manifest.md).
"""

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import field, frozen

PAUSE = "localhost/pause:1"
BUSYBOX = "localhost/busybox:1"
BUSYBOX_PROGRAM = Path("/bin/busybox")

_HERE = Path(__file__).parent
_SOURCES = {
    "pause": (_HERE / "programs/pause.c", "-s"),
    "numbers": (_HERE / "programs/numbers.c", "-nostdlib", "-fno-stack-protector"),
    "workload": (_HERE.parent / "integration/workload.c", "-pthread"),
}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PATH = "/bin"
_FOLDERS = {"bin": 0o755, "dev": 0o755, "etc": 0o755, "proc": 0o755, "sys": 0o755, "tmp": 0o1777}


@frozen
class _Blob:
    data: bytes

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    @property
    def path(self) -> str:
        return f"blobs/{self.digest.replace(':', '/')}"

    def descriptor(self, media_type: str) -> dict[str, object]:
        kind = f"application/vnd.oci.image.{media_type}"
        return {"mediaType": kind, "digest": self.digest, "size": len(self.data)}


@frozen(kw_only=True)
class _Image:
    """What is in an image of one layer: content of files and targets of links, by path."""

    reference: str
    files: Mapping[str, bytes]
    links: Mapping[str, str] = field(factory=dict)
    command: tuple[str, ...]

    def write(self, path: Path) -> None:
        layer = _Blob(self._layer())
        config = _Blob(self._config(layer))
        manifest = {
            "schemaVersion": 2,
            "config": config.descriptor("config.v1+json"),
            "layers": [layer.descriptor("layer.v1.tar")],
        }
        named = _Blob(_json(manifest))
        index = {"schemaVersion": 2, "manifests": [self._entry(named)]}
        parts = {
            "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
            "index.json": _json(index),
            **{blob.path: blob.data for blob in (config, named, layer)},
        }
        with tarfile.open(path, "w") as archive:
            for name, data in parts.items():
                _add(archive, name, data)

    def _layer(self) -> bytes:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            for name, mode in _FOLDERS.items():
                _add(archive, name, kind=tarfile.DIRTYPE, mode=mode)
            for name, data in self.files.items():
                _add(archive, name, data)
            for name, target in self.links.items():
                _add(archive, name, kind=tarfile.SYMTYPE, target=target)
        return content.getvalue()

    def _config(self, layer: _Blob) -> bytes:
        return _json(
            {
                "architecture": _ARCHITECTURES[platform.machine()],
                "os": "linux",
                "config": {"Cmd": list(self.command), "Env": [f"PATH={_PATH}"]},
                "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
            }
        )

    def _entry(self, manifest: _Blob) -> dict[str, object]:
        return {
            **manifest.descriptor("manifest.v1+json"),
            # `ctr images import` stores the image under this name.
            "annotations": {"io.containerd.image.name": self.reference},
        }


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _add(
    archive: tarfile.TarFile,
    name: str,
    data: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o755,
    target: str = "",
) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.mode, entry.linkname = len(data), kind, mode, target
    archive.addfile(entry, io.BytesIO(data))


def write_images(folder: Path) -> tuple[Path, ...]:
    """Compile the programs, and return archives of all images."""
    programs = {name: _compile(name, folder / name) for name in _SOURCES}
    pause = _Image(
        reference=PAUSE, files={"bin/pause": programs.pop("pause")}, command=("/bin/pause",)
    )
    busybox = _Image(
        reference=BUSYBOX,
        files={
            "bin/busybox": BUSYBOX_PROGRAM.read_bytes(),
            "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
            **{f"bin/{name}": program for name, program in programs.items()},
        },
        links={f"bin/{name}": "busybox" for name in _applets() if name != "busybox"},
        command=("/bin/sh",),
    )
    return tuple(_written(folder, {"pause": pause, "busybox": busybox}.items()))


def _written(folder: Path, images: Iterable[tuple[str, _Image]]) -> Iterable[Path]:
    for name, image in images:
        path = folder / f"{name}.tar"
        image.write(path)
        yield path


def _compile(name: str, program: Path) -> bytes:
    source, *flags = _SOURCES[name]
    subprocess.run(["gcc", "-O1", "-static", *flags, "-o", program, source], check=True)
    return program.read_bytes()


def _applets() -> list[str]:
    listed = subprocess.run([BUSYBOX_PROGRAM, "--list"], check=True, capture_output=True, text=True)
    return listed.stdout.split()
