"""What a program is told of a Jaeger collector; functions raise `ValueError` with what is wrong."""

import re
from urllib.parse import SplitResult, urlsplit

from .values import Address, one_line

PATH = "/api/traces"
"""Where a collector takes spans, unless the address says otherwise."""

EXPORTER = "jaeger"

AUTO = "auto"
"""Instead of an address: a collector is looked for in Kubernetes."""

ENDPOINT_VARIABLES = (
    "TRACER_JEAGER_ENDPOINT",
    "TRACER_JAEGER_ENDPOINT",
    "JAEGER_COLLECTOR_ENDPOINT",
)
"""The first that is not empty counts."""

AGENT_VARIABLES = ("JAEGER_AGENT_ENDPOINT", "JAGER_AGENT_ENDPOINT")
"""Likewise; the second is a mistake in the documents of those who had it first."""

AGENT_PORT = 6831
"""Where agents take the compact protocol."""


def collector_url(text: str) -> str:
    """Read the address of a collector: `host:port`, or a URL; the path may be left out.

    `auto` is one that is looked for, the empty string none.
    """
    if text in ("", AUTO):
        return text
    parts = _split(text if re.match("[a-zA-Z][a-zA-Z0-9+.-]*://", text) else f"http://{text}")
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text!r} is no address; write http://HOST:14268, or HOST:14268")
    if "@" in parts.netloc:
        raise ValueError("a URL must not hold a password; set JAEGER_USER and JAEGER_PASSWORD")
    path = parts.path if parts.path.strip("/") else PATH
    return parts._replace(path=path, fragment="").geturl()


def collector_below(text: str) -> str:
    """Read what JAEGER_ENDPOINT has always been: a URL to which the path is yet to be added."""
    found = urlsplit(collector_url(text))
    if text in ("", AUTO) or found.path.rstrip("/").endswith(PATH):
        return found.geturl()
    return found._replace(path=found.path.rstrip("/") + PATH).geturl()


def agent_place(text: str) -> Address | None:
    """Read where an agent takes UDP: `HOST`, `HOST:PORT`, or `[IPv6]:PORT`; empty is nowhere."""
    if not text:
        return None
    parts = _split(f"udp://{text}")
    if parts is None or not parts.hostname or parts.netloc != text or "@" in text:
        raise ValueError(f"{text!r} is no agent's address; write HOST:{AGENT_PORT}")
    return Address(parts.hostname, parts.port or AGENT_PORT)


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
    *, wanted: bool, url: str, agent: Address | None, user: str, password: str
) -> None:
    """Raise `ValueError` if what belongs together was not given together.

    `wanted` is whether spans shall go to Jaeger, as far as is known.
    """
    if url == AUTO and (user or password):
        raise ValueError(
            "JAEGER_USER and JAEGER_PASSWORD are not for a collector that is looked for (auto),"
            " which may be anybody's: name it with --jaeger-endpoint"
        )
    if url:
        _check_credentials(user, password)
    elif wanted and agent is None:
        raise ValueError(
            "exporter 'jaeger' needs an address: give --jaeger-endpoint for a collector,"
            " or JAEGER_AGENT_ENDPOINT for an agent"
        )


def _check_credentials(user: str, password: str) -> None:
    if user and not password:
        raise ValueError("JAEGER_USER is set, but not JAEGER_PASSWORD")
    if password and not user:
        raise ValueError("JAEGER_PASSWORD is set, but not JAEGER_USER")
