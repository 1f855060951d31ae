"""Texts of options become values; each function raises `ValueError` with what is wrong."""

import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from attrs import frozen

MAX_PORT = 65535

_TRUE = frozenset({"1", "true", "yes", "on", "y"})
_FALSE = frozenset({"0", "false", "no", "off", "n", ""})


@frozen
class Address:
    """Where to listen; an empty host is every address of this machine."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as it is given: `IP:port`, or `[IP]:port` for IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@frozen
class UnixAddress:
    """A UNIX socket to listen on."""

    path: Path

    def __str__(self) -> str:
        """Write it as it is given."""
        return f"unix:{self.path}"


def address_or_socket(text: str) -> Address | UnixAddress:
    """Read `unix:/PATH`, or what `address` reads."""
    if not text.startswith("unix:"):
        return address(text)
    found = Path(text.removeprefix("unix:"))
    if not found.is_absolute() or not text.isprintable():
        raise ValueError(f"{text!r} is no socket; write unix:/PATH, with the whole path")
    return UnixAddress(found)


def address(text: str) -> Address:
    """Read `IP:port`, `[IPv6]:port` or `:port`."""
    matched = re.fullmatch(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<v4>[^:\[\]]*)):(?P<port>[^:]*)", text)
    if matched is None:
        raise ValueError(f"{text!r} is no address; write IP:port, :port, or [IPv6]:port")
    host = matched["v6"] or matched["v4"] or ""
    if host:
        _check_ip(host, version=6 if matched["v6"] else 4)
    return Address(host, port(matched["port"]))


def address_or_port(text: str) -> Address:
    """Read what `address` reads, `localhost:port`, or a port alone: that of this machine only."""
    host, _, number = text.rpartition(":")
    if host.lower() == "localhost" or not text.count(":"):
        return Address("127.0.0.1", port(number))
    return address(text)


def _check_ip(text: str, *, version: int) -> None:
    try:
        found = ip_address(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no IP address") from error
    if found.version != version:
        raise ValueError(f"{text!r} is no IPv{version} address")


def port(text: str) -> int:
    """Read the number of a port."""
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= MAX_PORT:
        raise ValueError(f"port {text!r} is not a number from 1 to {MAX_PORT}")
    return int(text)


def switch(text: str) -> bool:
    """Read a yes or no, in any usual spelling."""
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"{text!r} is neither true nor false; write 1, 0, yes, no, on or off")
    return word in _TRUE


def number(smallest: int, largest: int) -> Callable[[str], int]:
    """Make a reader of integers in a range."""

    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,18}", text) or not smallest <= int(text) <= largest:
            raise ValueError(f"{text!r} is not a number from {smallest} to {largest}")
        return int(text)

    return read


def one_line(text: str) -> str:
    """Read a name: anything that can be shown in a line."""
    if not text.isprintable():
        raise ValueError(f"{text!r} has characters that cannot be shown")
    return text


def path(text: str) -> Path:
    """Read a path, which need not exist."""
    if not text or "\0" in text:
        raise ValueError(f"{text!r} is no path")
    return Path(text)


def folder(text: str) -> Path:
    """Read the path of a folder that exists."""
    found = path(text)
    if not found.is_dir():
        raise ValueError(f"{text!r} is no folder that can be read")
    return found


def words(text: str) -> list[str]:
    """Split a list in a variable at commas, semicolons and blanks."""
    return [word for word in re.split(r"[,;\s]+", text) if word]
