"""Getting the tools to compare with, from Debian, where that may be done."""

import os
import shutil
import subprocess
from types import ModuleType

from .processes import NotRun

INSTALL = ("apt-get", "install", "-y", "-qq", "--no-install-recommends")
SECONDS = 300


def provide(peer: ModuleType) -> None:
    """Install a peer's packages if they are missing; `NotRun` says why they cannot be."""
    missing = [package for package in peer.PACKAGES if not _there(package)]
    program = getattr(peer, "PROGRAM", "")
    if not missing or (program and shutil.which(program)):
        return
    permitted()
    if not shutil.which("apt-get"):
        raise NotRun("it is not installed, and there is no apt-get to install it with")
    print(f"installing Debian's {', '.join(missing)}", flush=True)
    if not _installed(missing):
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        if not _installed(missing):
            raise NotRun(f"Debian's {', '.join(missing)} cannot be installed")


def permitted() -> None:
    """Go on only where things may be installed."""
    if os.environ.get("BENCH_INSTALL", "1") == "0":
        raise NotRun("it is not installed, and BENCH_INSTALL=0 forbids to install it")


def _there(package: str) -> bool:
    if not shutil.which("dpkg"):
        return False
    return not subprocess.run(["dpkg", "-s", package], check=False, capture_output=True).returncode


def _installed(packages: list[str]) -> bool:
    try:
        done = subprocess.run(
            [*INSTALL, *packages], check=False, capture_output=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
