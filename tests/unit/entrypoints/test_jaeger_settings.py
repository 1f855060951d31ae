"""Addresses of collectors, as people write them."""

import pytest

from container_tracer.entrypoints.jaeger_settings import agent_place, collector_below, collector_url
from container_tracer.entrypoints.values import Address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", ""),
        ("auto", "auto"),
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
    with pytest.raises(ValueError, match=r"address|password"):
        collector_url(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", ""),
        ("auto", "auto"),
        ("http://jaeger:14268", "http://jaeger:14268/api/traces"),
        ("http://jaeger:14268/", "http://jaeger:14268/api/traces"),
        ("http://jaeger/below/it/", "http://jaeger/below/it/api/traces"),
        ("http://jaeger:14268/api/traces", "http://jaeger:14268/api/traces"),
        ("http://jaeger/api/traces?x=1", "http://jaeger/api/traces?x=1"),
    ],
)
def test_to_the_url_that_was_a_base_formerly_the_path_is_always_added(text: str, url: str) -> None:
    assert collector_below(text) == url


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", None),
        ("jaeger-agent:6832", Address("jaeger-agent", 6832)),
        ("jaeger-agent", Address("jaeger-agent", 6831)),
        ("10.0.0.1:1", Address("10.0.0.1", 1)),
        ("[::1]:6831", Address("::1", 6831)),
        ("[fd00::1]", Address("fd00::1", 6831)),
    ],
)
def test_an_agent_is_a_host_and_a_port(text: str, place: Address | None) -> None:
    assert agent_place(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "udp://x:1",
        "http://x:6831",
        "x:0",
        "x:y",
        "x:65536",
        ":6831",
        "::1",
        "a@x:1",
        "x:1/y",
        "x y",
    ],
)
def test_what_is_no_agent_is_refused_at_start(text: str) -> None:
    with pytest.raises(ValueError, match="agent's address"):
        agent_place(text)
