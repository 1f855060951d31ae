"""Where guests are listened to."""

from pathlib import Path
from typing import Literal, TypeAlias

from attrs import frozen

VsockUse: TypeAlias = Literal["auto", "on", "off"]
"""`auto` is where there is VSOCK; with `on` it is an error if there is none."""


@frozen(kw_only=True)
class GuestListenSettings:
    """The port that guests send to, and the run paths below which monitors have their sockets."""

    port: int
    run_paths: tuple[Path, ...]
    vsock: VsockUse = "auto"
