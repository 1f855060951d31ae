"""Request bodies: bytes from a client become a `SessionRequest`, or a sentence about why not.

Names of keys are matched without regard to case, because existing clients rely on it.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from reprlib import Repr
from typing import Any, NoReturn

from attrs import frozen

from ...domain.model.durations import parse_duration_ns
from ...domain.model.errors import RequestError
from ...domain.model.sampling import SampleRate
from ...domain.model.selector import ContainerSelector
from ...domain.model.session_request import SessionRequest, UnknownSession

MAX_NAME_CHARACTERS = 512
"""Patterns for pods and containers; twice what Kubernetes lets `namespace/pod` be."""

MAX_LABELS_CHARACTERS = 4096
"""A text that selects by labels."""

MAX_INTEGER = 2**63 - 1
MAX_SESSION_ID = 2**64 - 1

ALL = "all"
"""What stands for every session where an id may stand."""

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80


class MalformedBody(RequestError):
    """A request body is not the JSON object that the operation takes."""


@frozen
class _Key:
    """How the value of one key is read; `read` raises `MalformedBody`."""

    name: str
    read: Callable[[str, object], object]


def parse_session_request(body: bytes) -> SessionRequest:
    """Read the body of `POST /v1/trace-session`; raise `RequestError` with what is wrong."""
    values = _read(body, _SESSION_KEYS)
    if not values.get("trace-hook"):
        raise MalformedBody("Key 'trace-hook' is missing: GET /v1/trace-hooks lists what there is.")
    return SessionRequest(
        selector=ContainerSelector(
            values.get("pod", ""),
            values.get("container", ""),
            values.get("namespace", ""),
            values.get("labels", ""),
        ),
        hook=values["trace-hook"],
        arguments=values.get("trace-arguments", ""),
        user_context=values.get("trace-user-context", ""),
        run=values.get("run", False),
        duration_ns=values.get("duration", 0),
        max_events=values.get("max-events", 0),
        exporters=values.get("exporters"),
        sample_rate=values.get("sample-rate"),
        lease_ns=values.get("lease", 0),
        wait_for_pods=values.get("wait-for-pods", False),
        vmm=values.get("vmm", False),
        group=values.get("group", ""),
    )


def parse_run(body: bytes) -> bool:
    """Read the body of `PUT /v1/trace-session/ID`: whether the session shall run."""
    values = _read(body, _RUN_KEYS)
    if "run" not in values:
        raise MalformedBody('Key \'run\' is missing: the body is {"Run": true} or {"Run": false}.')
    return bool(values["run"])


def parse_session_id(text: str) -> str:
    """Read an id from a path; raise `UnknownSession` for what no session can be called."""
    if not _is_id(text):
        raise UnknownSession(
            f"There is no trace session {_SHORT.repr(text)}: an id is a decimal number of"
            f" at most {MAX_SESSION_ID}, or 'all' with GET and DELETE."
        )
    return str(int(text))


def _is_id(text: str) -> bool:
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_SESSION_ID))
    return digits and int(text) <= MAX_SESSION_ID


def _read(body: bytes, keys: Mapping[str, _Key]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for given, value in _load(body):
        key = keys.get(given.lower())
        if key is None:
            known = ", ".join(keys)
            raise MalformedBody(f"Key {_SHORT.repr(given)} is unknown; known are: {known}.")
        if key.name in values:
            raise MalformedBody(f"Key {key.name!r} is given more than once.")
        values[key.name] = key.read(key.name, value)
    return values


@frozen
class _Pairs:
    """A JSON object before it becomes a dict, which would hide keys given twice."""

    items: tuple[tuple[str, object], ...]


def _load(body: bytes) -> tuple[tuple[str, object], ...]:
    if not body:
        raise MalformedBody("The request has no body; it takes a JSON object.")
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=lambda pairs: _Pairs(tuple(pairs)),
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The body is not UTF-8: bad byte at {error.start}.") from error
    except RecursionError as error:
        raise MalformedBody("The body is nested too deeply.") from error
    except ValueError as error:  # json's own, and Python's limit on the digits of an integer
        raise MalformedBody(f"The body is not JSON: {error}.") from error
    if not isinstance(value, _Pairs):
        raise MalformedBody(f"The body is {_kind(value)}; it must be a JSON object.")
    return value.items


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _kind(value: object) -> str:
    kinds = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "an array",
        _Pairs: "an object",
        type(None): "null",
    }
    return kinds[type(value)]


def _wrong(key: str, value: object, expected: str) -> MalformedBody:
    shown = f" {_SHORT.repr(value)}" if isinstance(value, str | int | float) else ""
    return MalformedBody(f"Key {key!r} must be {expected}; it is {_kind(value)}{shown}.")


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(key, value, "a string")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise MalformedBody(f"Key {key!r} holds half of a surrogate pair, which is no character.")
    return value


def _name(key: str, value: object, limit: int = MAX_NAME_CHARACTERS) -> str:
    text = _text(key, value)
    if len(text) > limit:
        raise MalformedBody(f"Key {key!r} has {len(text)} characters; at most {limit} are allowed.")
    return text


def _group(key: str, value: object) -> str:
    if not isinstance(value, str) or not _is_id(value) or not int(value):
        raise _wrong(key, value, f"a string with a decimal number from 1 to {MAX_SESSION_ID}")
    return str(int(value))


def _boolean(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(key, value, "true or false")
    return value


def _count(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise _wrong(key, value, f"an integer from 0 (no limit) to {MAX_INTEGER}")
    return value


def _sample_rate(key: str, value: object) -> SampleRate:
    rate = _rate(value)
    if rate is None:
        raise _wrong(key, value, 'a number from 0 to 100 (percent), "always" or "never"')
    return rate


def _rate(value: object) -> SampleRate | None:
    try:
        if isinstance(value, str):
            return SampleRate.of(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return SampleRate(float(value))
    except (ValueError, OverflowError):  # also an integer that no float can hold
        return None
    return None


def _texts(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _wrong(key, value, "an array of strings")
    return tuple(_name(f"{key}[{index}]", item) for index, item in enumerate(value))


def _labels(key: str, value: object) -> str | dict[str, str]:
    if isinstance(value, str):
        return _name(key, value, MAX_LABELS_CHARACTERS)
    if not isinstance(value, _Pairs):
        raise _wrong(key, value, "a string, or an object whose values are strings")
    labels: dict[str, str] = {}
    for name, item in value.items:
        if name in labels:
            raise MalformedBody(f"Key {key!r} holds {_SHORT.repr(name)} more than once.")
        labels[_name(key, name)] = _name(f"{key}.{name[:80]}", item)
    return labels


def _duration(key: str, value: object) -> int:
    expected = 'a number of seconds or a string like "10s", "500ms" or "2m"'
    nanoseconds = _nanoseconds(value)
    if nanoseconds is None:
        raise _wrong(key, value, expected)
    # What is not nothing must not become nothing, which is endless.
    if not 1 <= nanoseconds <= MAX_INTEGER and re.search("[1-9]", str(value)):
        raise _wrong(key, value, f"{expected}, 0 (no limit) or from 1 ns to 292 years")
    return round(nanoseconds)


def _nanoseconds(value: object) -> float | None:
    if isinstance(value, str):
        try:
            return parse_duration_ns(value, "s")
        except ValueError:
            return None
    if isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value):
        return value * 10**9
    return None


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def _keys(**readers: Callable[[str, object], object]) -> dict[str, _Key]:
    names = {name.replace("_", "-"): read for name, read in readers.items()}
    return {name: _Key(name, read) for name, read in names.items()}


_RUN_KEYS: Mapping[str, _Key] = _keys(run=_boolean)

_SESSION_KEYS: Mapping[str, _Key] = _keys(
    pod=_name,
    container=_name,
    namespace=_name,
    labels=_labels,
    trace_hook=_name,
    trace_arguments=_text,
    trace_user_context=_text,
    run=_boolean,
    duration=_duration,
    max_events=_count,
    exporters=_texts,
    sample_rate=_sample_rate,
    lease=_duration,
    vmm=_boolean,
    wait_for_pods=_boolean,
    group=_group,
)
