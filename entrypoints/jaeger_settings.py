"""What a program is told of a Jaeger collector; functions raise `ValueError` with what is wrong."""

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from .values import one_line

PATH = "/api/traces"
"""Where a collector takes spans, unless the address says otherwise."""

EXPORTER = "jaeger"

ENDPOINT_VARIABLES = (
    "TRACER_JEAGER_ENDPOINT",
    "TRACER_JAEGER_ENDPOINT",
    "JAEGER_COLLECTOR_ENDPOINT",
    "JAEGER_ENDPOINT",
)
"""The first that is not empty counts."""


def collector_url(text: str) -> str:
    """Read the address of a collector: `host:port`, or a URL; the path may be left out.

    The empty string is no collector.
    """
    if text == "auto":
        raise ValueError("looking for a collector ('auto') is not part of this version: name it")
    if not text:
        return ""
    parts = _split(text if re.match("[a-zA-Z][a-zA-Z0-9+.-]*://", text) else f"http://{text}")
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text!r} is no address; write http://HOST:14268, or HOST:14268")
    if "@" in parts.netloc:
        raise ValueError("a URL must not hold a password; set JAEGER_USER and JAEGER_PASSWORD")
    path = parts.path if parts.path.strip("/") else PATH
    return parts._replace(path=path, fragment="").geturl()


def _split(text: str) -> SplitResult | None:
    if not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # a port that is none, or half an IPv6 address
        return None
    return None if port == 0 else parts


def user_name(text: str) -> str:
    """Read a name for Basic authentication, which a colon would end."""
    if ":" in text:
        raise ValueError("a user's name must not hold a colon")
    return one_line(text)


def check_jaeger(
    environ: Mapping[str, str], *, wanted: bool, url: str, user: str, password: str
) -> None:
    """Raise `ValueError` if what belongs together was not given together.

    `wanted` is whether spans shall go to Jaeger, as far as is known.
    """
    if url:
        _check_credentials(user, password)
    elif wanted and environ.get("JAEGER_AGENT_ENDPOINT", "").strip():
        raise ValueError(
            "JAEGER_AGENT_ENDPOINT: export to an agent is not part of this version; give a"
            " collector's address with --jaeger-endpoint"
        )
    elif wanted:
        raise ValueError("exporter 'jaeger' needs a collector's address: give --jaeger-endpoint")


def _check_credentials(user: str, password: str) -> None:
    if user and not password:
        raise ValueError("JAEGER_USER is set, but not JAEGER_PASSWORD")
    if password and not user:
        raise ValueError("JAEGER_PASSWORD is set, but not JAEGER_USER")
