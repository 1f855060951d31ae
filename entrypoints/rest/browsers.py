"""Pages of other sites must not use this API through the browser of somebody who may."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from ...domain.model.errors import RequestError

_DEFAULT_PORT = re.compile(r":(80|443)\Z")
_ADDRESS = re.compile(r"[0-9.]+|\[[0-9a-fA-F:.%]+\]")


class ForeignOrigin(RequestError):
    """A request was made by a page of another site, or under a name that is not ours."""


def check_origin(headers: Mapping[str, str]) -> None:
    """Raise `ForeignOrigin` if a page of another site sent a request (CSRF).

    Programs that are no browsers send neither of these headers.
    """
    if headers.get("sec-fetch-site", "").strip().lower() == "cross-site":
        raise ForeignOrigin("A page of another site may not use this API (Sec-Fetch-Site).")
    origin = headers.get("origin")
    if origin is not None and _authority(origin) != _bare(headers.get("host", "")):
        raise ForeignOrigin("A page of another site may not use this API (Origin).")


def check_local_name(host: str) -> None:
    """Raise `ForeignOrigin` if a request to a loopback address names a foreign host.

    A site can let its own name mean 127.0.0.1, so that its pages count as ours (DNS rebinding).
    """
    name = re.sub(r":[0-9]*\Z", "", host.strip().lower())
    if name and name.rstrip(".") != "localhost" and not _ADDRESS.fullmatch(name):
        raise ForeignOrigin(
            "This server listens on this machine only, and is called localhost or by its address."
        )


def _authority(origin: str) -> str | None:
    """Return host and port of an origin; None for one that is hidden or unreadable."""
    try:
        return _bare(urlsplit(origin.strip()).netloc) or None
    except ValueError:
        return None


def _bare(authority: str) -> str:
    return _DEFAULT_PORT.sub("", authority.strip().lower())
