"""Tags: what an operator attaches to everything that is exported.

Functions raise `ValueError` with what is wrong.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote

MAX_TAGS = 128
MAX_VALUE_CHARACTERS = 4096
"""Jaeger's clients cut what is longer."""

VARIABLE = "OTEL_RESOURCE_ATTRIBUTES"
SERVICE_NAME = "service.name"

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]{0,254}", re.ASCII)
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

_RESERVED = frozenset(
    word.lower()
    for word in (
        *("host.name", "error", "error.type", "span.kind"),
        *("node", "pod", "traceJob", "traceSession"),
        *("operatingSystem", "provider", "nodeName"),  # virtual-kubelet has set these always
    )
)
_RESERVED_PREFIXES = (
    *("container.", "container_tracer.", "k8s.", "otel.", "process.", "sched.", "service."),
    *("syscall.", "telemetry.", "thread."),
)
_FREE = frozenset({"service.namespace"})
"""What nobody but the operator knows."""


def tags(texts: Sequence[str]) -> dict[str, str]:
    """Read `key=value` pairs; refuse what is set by what is traced, and keys given twice."""
    read: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key:
            raise ValueError(f"{text!r} is no key=value")
        _check(key, value)
        if key in read:
            raise ValueError(f"{key!r} is given twice")
        read[key] = value
    if len(read) > MAX_TAGS:
        raise ValueError(f"there are {len(read)} tags; at most {MAX_TAGS} can be")
    return read


def _check(key: str, value: str) -> None:
    if not _KEY.fullmatch(key):
        raise ValueError(
            f"{key!r} is no key: it begins with a letter, goes on with letters, digits and ._/-,"
            " and has 255 characters at most"
        )
    word = key.lower()
    if word in _RESERVED or (word.startswith(_RESERVED_PREFIXES) and word not in _FREE):
        raise ValueError(f"{key!r} is reserved: it is set from what is traced")
    if not value.isprintable() or len(value) > MAX_VALUE_CHARACTERS:
        raise ValueError(
            f"the value of {key!r} cannot be: it is a line of {MAX_VALUE_CHARACTERS} characters"
            " at most, all of which can be shown"
        )


def resource_attributes(text: str) -> list[str]:
    """Split the variable as OpenTelemetry says: at commas, with keys and values percent-encoded.

    A name of the service in it is left out: see `service_name`.
    """
    return [f"{key}={value}" for key, value in _pairs(text) if key != SERVICE_NAME]


def service_name(environ: Mapping[str, str], *, otherwise: str) -> str:
    """Return the name in the variable, which counts where it is said nowhere else."""
    try:
        named = dict(_pairs(environ.get(VARIABLE, "")))
    except ValueError as error:
        raise ValueError(f"{VARIABLE}: {error}") from error
    name = named.get(SERVICE_NAME, "")
    if not name.isprintable():
        raise ValueError(f"{VARIABLE}: {name!r} has characters that cannot be shown")
    return name or otherwise


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for pair in filter(None, map(str.strip, text.split(","))):
        key, equals, value = pair.partition("=")
        key = _decoded(key.strip())
        if not equals or "=" in key:
            raise ValueError(f"{pair!r} is no key=value, separated by commas and percent-encoded")
        yield key, _decoded(value.strip())


def _decoded(text: str) -> str:
    if _PERCENT.search(text):
        raise ValueError(f"{text!r} is not percent-encoded: write % as %25")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise ValueError(f"{text!r} is not percent-encoded UTF-8") from error
