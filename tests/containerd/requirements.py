"""What a machine must have for real containers."""

import os
import shutil
from pathlib import Path

from .images import BUSYBOX_PROGRAM
from .leftovers import CGROUPS

_PROGRAMS = ("containerd", "runc", "ctr", "gcc")


def why_no_containerd() -> str:
    """Say why no containerd can be run here, or return the empty string."""
    if os.geteuid() != 0:
        return "running containers needs root"
    if missing := [program for program in _PROGRAMS if not shutil.which(program)]:
        return f"running containers needs {', '.join(missing)}"
    if not BUSYBOX_PROGRAM.exists() or _is_dynamic(BUSYBOX_PROGRAM):
        return f"images are made of a static {BUSYBOX_PROGRAM} (Debian: busybox-static)"
    if not os.access(CGROUPS, os.W_OK):
        return f"running containers needs cgroups that can be made at {CGROUPS}"
    return ""


def _is_dynamic(program: Path) -> bool:
    return b"ld-linux" in program.read_bytes()[:4096]
