"""The document that names tokens, and whom each is for: an object becomes entries, or a reason.

Its form: `{"tokens": [{"name", "token" or "sha256", "hooks", "namespaces", "actions",
"expires"}]}`. No reason ever shows a token.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from attrs import field, frozen

from .access import (
    EVERYTHING,
    AccessQuestion,
    Action,
    Forbidden,
    Identity,
    Patterns,
    Rights,
    Unauthenticated,
)
from .errors import DataError

MIN_TOKEN_CHARACTERS = 16
MAX_TOKENS = 10_000

_KEYS = ("name", "token", "sha256", "hooks", "namespaces", "actions", "expires")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
"""What RFC 6750 lets a bearer token be."""
_PATTERN = re.compile(r"[A-Za-z0-9._*?-]{1,253}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class InvalidTokens(DataError):
    """A document of tokens cannot be used; the sentence says where it is wrong."""


@frozen(kw_only=True)
class TokenEntry:
    """A token, as its SHA-256, and what its bearer may do; `expires_ns` of 0 is never."""

    name: str
    digest: bytes = field(repr=False)
    hooks: Patterns = EVERYTHING
    namespaces: Patterns = EVERYTHING
    actions: frozenset[Action] = frozenset(Action)
    expires_ns: int = 0

    @property
    def identity(self) -> Identity:
        """Who bears it."""
        return Identity(name=self.name)

    def rights(self, question: AccessQuestion) -> Rights:
        """Tell what its bearer may do; raise `Forbidden` if the action is allowed nowhere."""
        if question.action not in self.actions:
            allowed = ", ".join(sorted(self.actions))
            raise Forbidden(
                f"{self.name!r} may not {question.action} trace sessions; it may: {allowed}."
            )
        return Rights(action=question.action, hooks=self.hooks, namespaces=self.namespaces)

    def check_time(self, now_ns: int) -> None:
        """Raise `Unauthenticated` if it has expired."""
        if self.expires_ns and now_ns >= self.expires_ns:
            raise Unauthenticated(f"The token of {self.name!r} has expired; ask for a new one.")


def find_token(entries: Iterable[TokenEntry], token: str) -> TokenEntry:
    """Return the entry of a token; raise `Unauthenticated`.

    It takes equally long whichever entry it is: all are compared, and only their hashes.
    """
    digest = sha256(token.encode("utf-8", "surrogateescape")).digest()
    found = [one for one in entries if compare_digest(one.digest, digest)]
    if not found:
        raise Unauthenticated("The bearer token is not known here.")
    return found[0]


def token_entries(document: object, seconds_of: Callable[[object], float]) -> Sequence[TokenEntry]:
    """Read a document that was parsed from YAML or JSON; raise `InvalidTokens`.

    `seconds_of` reads a date as seconds since 1970, and raises `ValueError`.
    """
    if not isinstance(document, Mapping) or set(document) != {"tokens"}:
        raise InvalidTokens("It must have one key, 'tokens'.")
    listed = document["tokens"]
    if not isinstance(listed, list) or not listed:
        raise InvalidTokens("'tokens' must be a list of at least one token.")
    if len(listed) > MAX_TOKENS:
        raise InvalidTokens(f"It has {len(listed)} tokens; at most {MAX_TOKENS} are read.")
    entries = [_entry(one, index, seconds_of) for index, one in enumerate(listed, start=1)]
    _check_unique("name", [one.name for one in entries])
    _check_unique("token", [one.digest.hex() for one in entries])
    return entries


def _check_unique(what: str, values: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for index, value in enumerate(values, start=1):
        if value in seen:
            raise InvalidTokens(f"Tokens {seen[value]} and {index} have the same {what}.")
        seen[value] = index


def _entry(given: object, index: int, seconds_of: Callable[[object], float]) -> TokenEntry:
    where = f"Token {index}"
    if not isinstance(given, Mapping):
        raise InvalidTokens(f"{where} is no object with the keys {', '.join(_KEYS)}.")
    if not all(one in _KEYS for one in given):
        raise InvalidTokens(f"{where} has a key that is none of {', '.join(_KEYS)}.")
    name = given.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidTokens(f"{where} has no name of letters, digits and . _ : @ / -.")
    return TokenEntry(
        name=name,
        digest=_digest(given, where),
        hooks=_patterns(given, "hooks", where),
        namespaces=_patterns(given, "namespaces", where),
        actions=_actions(given, where),
        expires_ns=_expires_ns(given, where, seconds_of),
    )


def _digest(given: Mapping[str, Any], where: str) -> bytes:
    if ("token" in given) == ("sha256" in given):
        raise InvalidTokens(f"{where} must have either 'token' or 'sha256'.")
    if "token" not in given:
        return _stored_digest(given["sha256"], where)
    token = given["token"]
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise InvalidTokens(
            f"{where}: 'token' must be a text of letters, digits and - . _ ~ + /, and = at its end."
        )
    if len(token) < MIN_TOKEN_CHARACTERS or len(set(token)) == 1:
        raise InvalidTokens(
            f"{where}: 'token' is too weak; take at least {MIN_TOKEN_CHARACTERS} characters,"
            " at random."
        )
    return sha256(token.encode()).digest()


def _stored_digest(given: object, where: str) -> bytes:
    if not isinstance(given, str) or not _SHA256.fullmatch(given):
        raise InvalidTokens(f"{where}: 'sha256' must be 64 hexadecimal digits, in quotes.")
    return bytes.fromhex(given)


def _texts(given: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    listed = given[key]
    if not isinstance(listed, list) or not listed or not all(isinstance(x, str) for x in listed):
        raise InvalidTokens(f"{where}: {key!r} must be a list of texts, and not empty.")
    return tuple(listed)


def _patterns(given: Mapping[str, Any], key: str, where: str) -> Patterns:
    if key not in given:
        return EVERYTHING
    patterns = _texts(given, key, where)
    if not all(map(_PATTERN.fullmatch, patterns)):
        raise InvalidTokens(f"{where}: {key!r} may have names, with * and ? for what is open.")
    return patterns


def _actions(given: Mapping[str, Any], where: str) -> frozenset[Action]:
    if "actions" not in given:
        return frozenset(Action)
    try:
        return frozenset(map(Action, _texts(given, "actions", where)))
    except ValueError as error:
        raise InvalidTokens(f"{where}: 'actions' may have {', '.join(Action)}.") from error


def _expires_ns(given: Mapping[str, Any], where: str, seconds_of: Callable[[object], float]) -> int:
    if "expires" not in given:
        return 0
    try:
        return max(1, round(seconds_of(given["expires"]) * 1e9))
    except ValueError as error:
        raise InvalidTokens(
            f"{where}: 'expires' must be a date such as 2030-01-31 or 2030-01-31T12:00:00Z."
        ) from error
