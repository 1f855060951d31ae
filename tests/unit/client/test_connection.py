import pytest

from container_tracer.client import InvalidUrl, TracerClient
from container_tracer.client.connection import Endpoint, parse_url


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://node:8080", "http://node:8080"),
        ("http://node", "http://node:8080"),
        ("https://node:443/", "https://node:443"),
        ("node:9", "http://node:9"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_urls_of_servers(url: str, origin: str) -> None:
    assert parse_url(url) == Endpoint(origin=origin)


@pytest.mark.parametrize("url", ["unix:/run/a.sock", "unix:///run/a.sock"])
def test_urls_of_sockets(url: str) -> None:
    assert parse_url(url) == Endpoint(origin="http://localhost", socket="/run/a.sock")


@pytest.mark.parametrize(
    "url", ["", "ftp://node", "http://", "http://node:x", "http://node/path", "unix:relative"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl, match="write"):
        TracerClient(url)
