"""A node for one command: a child process on a UNIX socket that nobody else can reach."""

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from attrs import define

from ...client import ClientError, ServerUnreachable, TracerClient
from ...client.connection import to_its_end
from .server import Server

START_SECONDS = 30.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.02
NEWS_SECONDS = 1.0
LOG_LINES = 5

NODE = "container_tracer.entrypoints.cli.attached_node"


class PrivateNodeFailed(ClientError):
    """The node of this command did not start, or died."""


@define(eq=False)
class PrivateNode:
    """A running child; its log is a file in `folder` unless it goes to our standard error."""

    folder: Path
    process: Process

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix:{socket_of(self.folder)}"

    async def is_dead(self) -> bool:
        """Tell whether it has ended; news of a death may come a little after its connections."""
        with suppress(TimeoutError):
            async with asyncio.timeout(NEWS_SECONDS):
                await self.process.wait()
        return self.process.returncode is not None

    def failure(self) -> PrivateNodeFailed:
        """Say how it died, with the end of its log."""
        code = self.process.returncode or 0
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        log = self.folder / "log"
        last = log.read_text(errors="replace").splitlines()[-LOG_LINES:] if log.exists() else []
        told = "".join(f"\n  {line}" for line in last)
        return PrivateNodeFailed(f"The private tracer of this command ended with {how}.{told}")

    async def until_it_listens(self) -> None:
        """Wait until it answers; raise `PrivateNodeFailed`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while self.process.returncode is None:
                    if _answers(socket_of(self.folder)):
                        return
                    await asyncio.sleep(LOOK_SECONDS)
                raise self.failure()
        raise PrivateNodeFailed(f"The private tracer did not start in {START_SECONDS:g} s.")

    async def end(self) -> None:
        """Let it end in good order; kill it if it does not."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def private_node(server: Server) -> AsyncIterator[TracerClient]:
    """Start a node, yield a client of it, and end it whatever happens.

    Its name is this host's with `-local`: what it leaves in the kernel if it is killed is
    removed by the next private node, and it removes nothing of a tracer-node that runs here.
    """
    folder = Path(tempfile.mkdtemp(prefix="container-tracer-"))
    try:
        starting = asyncio.create_task(
            _start(folder, mount_tracefs=server.mount_tracefs, verbose=server.verbose),
            name="start private node",
        )
        try:
            await to_its_end(starting)
            node = await starting
            await node.until_it_listens()
            async with TracerClient(node.url, trace_context=server.trace_context) as tracer:
                yield tracer
        except ServerUnreachable as error:
            node = await starting
            if await node.is_dead():
                raise node.failure() from error
            raise
        finally:
            if starting.done() and not starting.exception():
                ending = asyncio.create_task(starting.result().end(), name="end private node")
                await to_its_end(ending)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _start(folder: Path, *, mount_tracefs: bool, verbose: bool) -> PrivateNode:
    flags = [
        *("--address", f"unix:{socket_of(folder)}"),
        *("--node-name", f"{socket.gethostname()}-local"),
        *(["--mount-tracefs"] if mount_tracefs else []),
    ]
    log = None if verbose else (folder / "log").open("wb")
    try:
        process = await asyncio.create_subprocess_exec(
            # -P: what lies about in the current directory must never be imported, least by root.
            *(sys.executable, "-P", "-m", NODE, str(os.getpid()), str(folder), *flags),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us; the node must be there to stop orderly
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise PrivateNodeFailed(f"Cannot start {sys.executable}: {reason.lower()}.") from error
    finally:
        if log is not None:
            log.close()
    return PrivateNode(folder, process)


def socket_of(folder: Path) -> Path:
    """Return the path of the socket of the node of a folder."""
    return folder / "socket"


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True
