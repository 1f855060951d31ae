"""Which of all that is said of Jaeger counts, and what is refused, on both roles alike."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import pytest

from container_tracer.adapters.jaeger.agent import AgentAddress
from container_tracer.adapters.jaeger.collector import CollectorAddress
from container_tracer.adapters.jaeger.sender import JaegerAddress
from container_tracer.entrypoints.export_settings import ExportSettings
from container_tracer.entrypoints.exporting import jaeger_address
from container_tracer.entrypoints.node import settings as node
from container_tracer.entrypoints.svc import settings as svc

Read: TypeAlias = Callable[[Sequence[str], Mapping[str, str]], ExportSettings]

LOGIN = {"JAEGER_USER": "me", "JAEGER_PASSWORD": "s3cret"}
BY_PRECEDENCE = {
    "TRACER_JEAGER_ENDPOINT": "jeager",
    "TRACER_JAEGER_ENDPOINT": "jaeger",
    "JAEGER_COLLECTOR_ENDPOINT": "collector",
    "JAEGER_ENDPOINT": "base",
    "JAEGER_AGENT_ENDPOINT": "agent",
    "JAGER_AGENT_ENDPOINT": "jager",
}
"""All variables; their values are the hosts they name."""


@pytest.fixture(params=[node.read_settings, svc.read_settings], ids=["node", "svc"])
def read(request: pytest.FixtureRequest) -> Read:
    found: Read = request.param
    return found


@pytest.fixture
def refusal(read: Read, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return the one line that says why nothing was started."""

    def refused(*argv: str, **environ: str) -> str:
        with pytest.raises(SystemExit) as raised:
            read(argv, environ)
        assert raised.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        return str(line)

    return refused


def place(variable: str) -> JaegerAddress:
    host = BY_PRECEDENCE[variable]
    if "AGENT" in variable:
        return AgentAddress(host=host, port=6831)
    return CollectorAddress(url=f"http://{host}/api/traces")


@pytest.mark.parametrize("dropped", range(len(BY_PRECEDENCE)))
def test_of_several_variables_the_first_counts_and_each_implies_jaeger(
    read: Read, dropped: int
) -> None:
    left = dict(list(BY_PRECEDENCE.items())[dropped:])
    settings = read([], left)
    assert jaeger_address(settings, None) == place(next(iter(left)))
    assert settings.exporters == ("jaeger",)


def test_the_flag_beats_them_all(read: Read) -> None:
    settings = read(["--jaeger-endpoint=flag:1"], BY_PRECEDENCE)
    assert jaeger_address(settings, None) == CollectorAddress(url="http://flag:1/api/traces")


def test_an_empty_variable_is_none(read: Read) -> None:
    settings = read([], BY_PRECEDENCE | dict.fromkeys(list(BY_PRECEDENCE)[:4], " "))
    assert jaeger_address(settings, None) == place("JAEGER_AGENT_ENDPOINT")


def test_a_collector_may_be_looked_for(read: Read) -> None:
    settings = read([], BY_PRECEDENCE | {"TRACER_JEAGER_ENDPOINT": "auto"})
    assert (settings.exporters, settings.jaeger_url) == (("jaeger",), "auto")


@pytest.mark.parametrize("variable", BY_PRECEDENCE)
def test_a_place_implies_nothing_where_exporters_are_chosen(read: Read, variable: str) -> None:
    chosen = read(["--trace-exporter=console"], {variable: "x"})
    assert chosen.exporters == ("console",)


def test_a_user_is_named_to_a_collector_and_never_to_an_agent(read: Read) -> None:
    collector = jaeger_address(read([], {**BY_PRECEDENCE, **LOGIN}), None)
    assert collector == CollectorAddress(
        url="http://jeager/api/traces", user="me", password="s3cret"
    )
    agent = jaeger_address(read([], {"JAEGER_AGENT_ENDPOINT": "a:1", **LOGIN}), None)
    assert agent == AgentAddress(host="a", port=1)


def test_a_password_is_not_shown_with_the_settings(read: Read) -> None:
    assert "s3cret" not in repr(read([], {"JAEGER_ENDPOINT": "x", **LOGIN}))


@pytest.mark.parametrize("asked", [{"TRACER_EXPORTER": "console,jaeger"}, LOGIN])
def test_jaeger_without_a_place_is_an_error(
    refusal: Callable[..., str], asked: dict[str, str]
) -> None:
    assert refusal(**asked).endswith(
        "exporter 'jaeger' needs an address: give --jaeger-endpoint for a collector, or"
        " JAEGER_AGENT_ENDPOINT for an agent"
    )


@pytest.mark.parametrize("variable", BY_PRECEDENCE)
def test_a_variable_that_names_no_place_is_named_itself(
    refusal: Callable[..., str], variable: str
) -> None:
    kind = "agent's address" if "AGENT" in variable else "address"
    line = refusal(**{variable: "ftp://x"})
    assert f": {variable}: 'ftp://x' is no {kind}; write " in line


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"JAEGER_USER": "me"}, "JAEGER_USER is set, but not JAEGER_PASSWORD"),
        ({"JAEGER_PASSWORD": "s3cret"}, "JAEGER_PASSWORD is set, but not JAEGER_USER"),
        ({**LOGIN, "JAEGER_USER": "a:b"}, "JAEGER_USER: a user's name must not hold a colon"),
        ({**LOGIN, "TRACER_JEAGER_ENDPOINT": "auto"}, "a collector that is looked for (auto)"),
        (
            {"TRACER_JEAGER_ENDPOINT": "http://u:s3cret@x"},
            "a URL must not hold a password; set JAEGER_USER and JAEGER_PASSWORD",
        ),
    ],
)
def test_who_asks_is_said_in_whole_or_not_at_all(
    refusal: Callable[..., str], place: dict[str, str], said: str
) -> None:
    line = refusal(**{"JAEGER_COLLECTOR_ENDPOINT": "x", **place})
    assert said in line
    assert "s3cret" not in line
