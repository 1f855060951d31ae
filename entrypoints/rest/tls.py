"""TLS whose files may be replaced at any time: connections made later have what they hold then."""

import asyncio
import contextlib
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog
from attrs import define, field, frozen

from ...domain.services.background import Background
from ..certificates import Side

LOOK_SECONDS = 3.0
"""How often files are looked at."""

WARN_SECONDS = 7 * 24 * 3600
"""How long before its end a certificate is warned of, once a day."""

HANDSHAKE_SECONDS = 10.0
"""How long a client may take to agree on keys; who says nothing is let go of then."""

GOODBYE_SECONDS = 1.0
"""How long a client may take to agree that its connection ends."""

_DAY_SECONDS = 24 * 3600
_MINUTE_SECONDS = 60

_log = structlog.get_logger()


@frozen(kw_only=True)
class Loaded:
    """What files hold: what connections are made of, and until when its certificate is valid.

    `valid_until` is in seconds since 1970, or 0 where no certificate is shown.
    """

    context: ssl.SSLContext
    valid_until: int = 0


class TlsFiles(Protocol):
    """The files of one use of TLS."""

    @property
    def side(self) -> Side:
        """Tell which end of a connection they are for."""

    @property
    def paths(self) -> Sequence[Path]:
        """Name all of them."""

    def load(self) -> Loaded:
        """Make a context of what they hold now; raise `ValueError`."""


class ChangingContext(ssl.SSLContext):
    """A context that leaves every new connection to the one that is current.

    It is made for asyncio, which makes connections by `wrap_bio` only.
    """

    current: ssl.SSLContext

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Make a connection as the current context does."""
        return self.current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def _noting(failures: Counter[str]) -> type[ssl.SSLObject]:
    """Make a class of connections that count why peers and we could not agree.

    asyncio itself says nothing of it, neither here nor to the peer.
    """

    class Noting(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError):
                raise
            except ssl.SSLCertVerificationError as error:
                failures[error.verify_message] += 1
                raise
            except ssl.SSLError as error:
                failures[(error.reason or "unknown").lower().replace("_", " ")] += 1
                raise

    return Noting


@define(kw_only=True)
class RotatingTls:
    """TLS of one use (`server`, or `nodes` for what is asked of them), from files.

    New files that cannot be used change nothing but `failure`; it is empty when the files are
    those in use. `refused` are the connections that came to nothing, by reason.
    """

    use: str
    files: TlsFiles
    now: Callable[[], float] = time.time
    valid_until: int = field(init=False, default=0)
    failure: str = field(init=False, default="")
    refused: Counter[str] = field(init=False, factory=Counter)
    _context: ChangingContext = field(init=False)
    _seen: tuple[bytes, ...] = field(init=False, default=())
    _warned: float = field(init=False, default=0.0)
    _told: Counter[str] = field(init=False, factory=Counter)
    _told_at: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        """Make the context, which is of no use before the files are loaded."""
        self._context = ChangingContext(self.files.side.value)

    @property
    def context(self) -> ssl.SSLContext:
        """Return what to make connections with, once loaded, and after every change."""
        return self._context

    def load(self) -> None:
        """Load the files; raise `ValueError`."""
        self._seen = self._contents()
        self._take(self.files.load())

    @property
    def seconds_left(self) -> float | None:
        """Return for how long the certificate in use is valid, or None if there is none."""
        return self.valid_until - self.now() if self.valid_until else None

    def look(self) -> None:
        """Take over the files if they changed; warn of a certificate that ends soon, and of peers.

        However many connections come to nothing, that is a line a minute.
        """
        contents = self._contents()
        if contents != self._seen:
            self._seen = contents
            self._reload()
        self._warn()
        self._tell_refused()

    def _contents(self) -> tuple[bytes, ...]:
        return tuple(_read(path) for path in self.files.paths)

    def _reload(self) -> None:
        try:
            self._take(self.files.load())
        except ValueError as error:
            self.failure = str(error)
            _log.error("tls.not_reloaded", use=self.use, error=self.failure)
        else:
            _log.info("tls.reloaded", use=self.use, **self._valid())

    def _take(self, loaded: Loaded) -> None:
        loaded.context.sslobject_class = _noting(self.refused)
        self._context.current = loaded.context
        self.valid_until, self.failure, self._warned = loaded.valid_until, "", 0.0

    def _warn(self) -> None:
        left = self.seconds_left
        if left is None or left > WARN_SECONDS or self.now() - self._warned < _DAY_SECONDS:
            return
        self._warned = self.now()
        event = "tls.certificate_expires" if left > 0 else "tls.certificate_expired"
        _log.warning(event, use=self.use, **self._valid())

    def _tell_refused(self) -> None:
        new = Counter(self.refused) - self._told
        if not new or self.now() - self._told_at < _MINUTE_SECONDS:
            return
        self._told, self._told_at = self._told + new, self.now()
        _log.warning("tls.handshakes_failed", use=self.use, reasons=dict(new))

    def _valid(self) -> dict[str, str]:
        if not self.valid_until:
            return {}
        return {"valid_until": datetime.fromtimestamp(self.valid_until, UTC).isoformat()}


@frozen(kw_only=True)
class TlsUses:
    """What a program uses TLS for; None is plain HTTP."""

    server: RotatingTls | None = None
    nodes: RotatingTls | None = None

    def __iter__(self) -> Iterator[RotatingTls]:
        """Yield those there are."""
        return iter([one for one in (self.server, self.nodes) if one])

    @property
    def server_context(self) -> ssl.SSLContext | None:
        """Return what a server makes connections with."""
        return self.server.context if self.server else None


def tls_uses(server: TlsFiles | None, nodes: TlsFiles | None = None) -> TlsUses:
    """Make the uses there are files for."""
    return TlsUses(
        server=RotatingTls(use="server", files=server) if server else None,
        nodes=RotatingTls(use="nodes", files=nodes) if nodes else None,
    )


def _read(path: Path) -> bytes:
    """Read a file; one that is missing differs from every one that is there."""
    try:
        return b"+" + path.read_bytes()
    except OSError:
        return b""


@contextlib.asynccontextmanager
async def fresh_tls(uses: TlsUses) -> AsyncIterator[None]:
    """Load the files of every use, and look at them again and again while in the block.

    Raise `ValueError` if they cannot be used now.
    """
    for one in uses:
        one.load()
    background = Background()
    background.leave(_watch(tuple(uses)), name="tls.watch")
    try:
        yield
    finally:
        for task in background.tasks:
            task.cancel()
        await background.finish()


async def _watch(uses: Sequence[RotatingTls]) -> None:
    while True:
        for one in uses:
            await asyncio.to_thread(one.look)
        await asyncio.sleep(LOOK_SECONDS)
