"""What svc can be told, and what it refuses to start with."""

import subprocess
import sys
from pathlib import Path

import pytest

from container_tracer.domain.model.nodes import Node
from container_tracer.entrypoints.exporting import single_span_exporters
from container_tracer.entrypoints.svc.settings import read_settings
from container_tracer.entrypoints.values import Address


def refused(capsys: pytest.CaptureFixture[str], *argv: str, **environ: str) -> str:
    with pytest.raises(SystemExit, match="2"):
        read_settings(argv, environ)
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    return said.err


def test_without_anything_said_the_defaults_count() -> None:
    settings = read_settings([], {})
    assert settings.address == Address("", 8080)
    assert (settings.poll_seconds, settings.nodes, settings.kubeconfig) == (10, (), None)
    assert settings.pods_selector == "app=container-tracer-backend"
    assert settings.svc_selector == "metadata.name=container-tracer-node"
    assert (settings.node_timeout_seconds, settings.request_timeout_seconds) == (10, 15)


def test_flags_beat_variables() -> None:
    environ = {"TRACE_KUBE_DISCOVERY_POLL": "30", "TRACE_KUBE_SELECTOR_PODS": "app=x"}
    settings = read_settings(["--poll=60", "--kubeconfig", "/k"], environ)
    assert (settings.poll_seconds, settings.pods_selector) == (60, "app=x")
    assert settings.kubeconfig == Path("/k")


def test_nodes_are_a_list_of_names_and_addresses() -> None:
    given = ["--nodes", "a=10.0.0.1:80,b=[fd00::1]:8080", "--nodes", "c=worker-3.local:1"]
    assert read_settings(given, {}).nodes == (
        Node(name="a", host="10.0.0.1", port=80),
        Node(name="b", host="fd00::1", port=8080),
        Node(name="c", host="worker-3.local", port=1),
    )
    assert len(read_settings([], {"TRACE_KUBE_NODES": "a=x:1 b=y:2"}).nodes) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        "a",
        "=x:1",
        "a=x",
        "a=x:0",
        "a=x:99999",
        "a=:1",
        "a=fd00::1:80",
        "a=[fd00::1:80",
        "a=x/y:1",
        "a=u@x:1",
        "a/b=x:1",
        "a*=x:1",
        "a=x:1,a=y:1",
        "\u00e9=x:1",
    ],
)
def test_what_is_no_node_is_refused(capsys: pytest.CaptureFixture[str], wrong: str) -> None:
    assert "--nodes" in refused(capsys, "--nodes", wrong)


def test_what_cannot_be_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (
        ("--poll", "0"),
        ("--node-timeout", "ten"),
        ("--request-timeout", "51"),
        ("--pods-selector", " "),
        ("--svc-selector", "a\nb"),
        ("--address", "8080"),
        ("--nonsense",),
        ("--max-sessions", "1"),
    ):
        assert argv[0] in refused(capsys, *argv)


@pytest.mark.parametrize(
    ("argv", "environ", "exporters"),
    [
        ([], {}, ()),
        (["--trace-exporter", "console"], {}, ("console",)),
        ([], {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, ("otlp",)),
        (["--jaeger-endpoint", "c:14268"], {}, ("jaeger",)),
        (["--trace-exporter=file", "--trace-exporter=file:jsonl"], {}, ("file", "file:jsonl")),
        (["--trace-exporter=otlp"], {"JAEGER_ENDPOINT": "c:14268"}, ("otlp",)),
        ([], {"JAEGER_AGENT_ENDPOINT": "a:6831"}, ("jaeger",)),
        (["--trace-sample-rate=always"], {"TRACER_EXPORTER": "otlp,console"}, ("otlp", "console")),
    ],
)
def test_its_own_spans_go_nowhere_unless_that_is_said_or_implied(
    argv: list[str], environ: dict[str, str], exporters: tuple[str, ...]
) -> None:
    settings = read_settings(argv, environ)
    assert settings.exporters == exporters
    assert tuple(one.name for one in single_span_exporters(settings, found=None)) == exporters


def test_exporters_that_svc_does_not_have_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    names = "console, file, file:perfetto, file:jsonl, jaeger, otlp, zpages"
    assert f"there are: {names}" in refused(capsys, "--trace-exporter=zipkin")
    assert "nor a percentage" in refused(capsys, "--trace-sample-rate=101")
    assert "ZPAGES_PORT: port '0'" in refused(capsys, ZPAGES_PORT=":0")
    assert "give --jaeger-endpoint" in refused(capsys, "--trace-exporter=jaeger")
    wrong = refused(capsys, OTEL_EXPORTER_OTLP_PROTOCOL="http/json")
    assert "OTEL_EXPORTER_OTLP_PROTOCOL" in wrong


def test_without_an_exporter_nothing_of_one_is_loaded() -> None:
    """It would be tens of megabytes more for everybody."""
    program = "import sys, container_tracer.entrypoints.svc.__main__; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = {one.partition(".")[0] for one in ran.stdout.decode().split()}
    assert loaded >= {"sanic", "container_tracer"}
    assert not loaded & {"numpy", "grpc", "thrift", "opentelemetry"}
