"""The file that tokens are read from, again whenever it changes."""

import os
import stat
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeAlias

import structlog
import yaml
from attrs import define, field

from ...domain.model.token_entries import InvalidTokens, TokenEntry, token_entries

MAX_FILE_BYTES = 4 * 2**20

_Version: TypeAlias = tuple[int, ...]

_log = structlog.get_logger()


def read_token_file(path: Path) -> Sequence[TokenEntry]:
    """Read a file of tokens, in YAML or JSON; raise `OSError` or `InvalidTokens`."""
    with path.open("rb") as opened:
        mode = os.fstat(opened.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise InvalidTokens("It is no regular file.")
        if mode & stat.S_IRWXO:
            raise InvalidTokens(
                f"Everybody on this machine may use it (mode {stat.S_IMODE(mode):04o}):"
                " take that away with chmod o-rwx."
            )
        text = opened.read(MAX_FILE_BYTES + 1)
    if len(text) > MAX_FILE_BYTES:
        raise InvalidTokens(f"It is larger than {MAX_FILE_BYTES} bytes.")
    return token_entries(_parsed(text), _seconds)


def _parsed(text: bytes) -> object:
    """Parse YAML, of which JSON is a part; no complaint quotes what is in the file."""
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidTokens(f"It is no YAML{where}.") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InvalidTokens("It is no YAML.") from None


def _seconds(given: object) -> float:
    """Read a date, as YAML or a text has it; one without a zone is UTC; raise `ValueError`."""
    if isinstance(given, str):
        given = datetime.fromisoformat(given)
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day, tzinfo=UTC)
    if not isinstance(given, datetime):
        raise ValueError("no date")  # noqa: TRY004 - what a reader of dates raises
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()


@define
class TokenFile:
    """The tokens of a file as it is now; while it cannot be used, those it had before.

    `failure` says why it cannot be used now, or is empty.
    """

    path: Path
    failure: str = ""
    _entries: Sequence[TokenEntry] = ()
    _version: _Version = field(default=())

    def load(self) -> None:
        """Read it for the first time; raise `OSError` or `InvalidTokens`."""
        self._version = self._version_now()
        self._entries = read_token_file(self.path)

    def entries(self) -> Sequence[TokenEntry]:
        """Return its tokens; reads it if it is another than before."""
        try:
            version = self._version_now()
            if version != self._version:
                self._version = version
                self._take_over()
        except OSError as error:
            self._version = ()
            self._keep(error.strerror or str(error))
        return self._entries

    def _take_over(self) -> None:
        try:
            self._entries = read_token_file(self.path)
        except InvalidTokens as error:
            self._keep(str(error))
        else:
            self.failure = ""
            _log.info("tokens.loaded", path=str(self.path), tokens=len(self._entries))

    def _keep(self, reason: str) -> None:
        if self.failure != reason:
            _log.error(
                "tokens.not_loaded",
                path=str(self.path),
                reason=reason,
                meaning="the tokens that were read before stay valid until it can be read",
            )
        self.failure = reason

    def _version_now(self) -> _Version:
        seen = self.path.stat()
        return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
