"""Addresses of collectors, as people write them."""

import pytest

from container_tracer.entrypoints.jaeger_settings import collector_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", ""),
        ("jaeger:14268", "http://jaeger:14268/api/traces"),
        ("jaeger", "http://jaeger/api/traces"),
        ("[::1]:14268", "http://[::1]:14268/api/traces"),
        ("http://jaeger:14268", "http://jaeger:14268/api/traces"),
        ("http://jaeger:14268/", "http://jaeger:14268/api/traces"),
        ("https://jaeger/api/traces", "https://jaeger/api/traces"),
        (
            "HTTP://jaeger/own/way?format=jaeger.thrift#x",
            "http://jaeger/own/way?format=jaeger.thrift",
        ),
        ("jaeger:14268/own", "http://jaeger:14268/own"),
    ],
)
def test_a_path_is_added_where_there_is_none(text: str, url: str) -> None:
    assert collector_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "auto",
        "jaeger:port",
        "jaeger:0",
        "jaeger:65536",
        "http://",
        "http://:14268",
        "ftp://jaeger",
        "unix:///run/jaeger",
        "http://[::1",
        "http://user:word@jaeger",
        "user@jaeger:14268",
        "jaeger 14268",
        "jaeger\n",
    ],
)
def test_what_is_no_address_is_refused_at_start(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|password|name it"):
        collector_url(text)
