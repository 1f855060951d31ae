"""What a command line says."""

import shlex
from pathlib import Path

import pytest

from container_tracer.entrypoints.cli.command_line import Parsed, parse
from container_tracer.entrypoints.cli.commands import COMMANDS
from container_tracer.entrypoints.cli.program import PLUGIN
from container_tracer.entrypoints.cli.server import TOKEN_VARIABLE, Cluster, Server

URL = "http://worker-1:8080"


def read(*argv: str, **environ: str) -> Parsed:
    return parse(argv, environ, COMMANDS)


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as caught:
        read(*argv)
    assert caught.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


@pytest.mark.parametrize(
    "argv",
    [
        ("-o", "json", "--server", URL, "--no-color", "pods"),
        ("pods", "-o", "json", "--server", URL, "--no-color"),
        ("-o", "wide", "--server=http://other", "pods", "--server", URL, "--no-color", "-ojson"),
    ],
)
def test_options_may_stand_before_the_command_or_after_it(argv: tuple[str, ...]) -> None:
    parsed = read(*argv)
    assert (parsed.command.name, parsed.form, parsed.server.url) == ("pods", "json", URL)
    assert not parsed.colour


def test_a_flag_beats_its_variable() -> None:
    assert read("pods", CONTAINER_TRACER_SERVER=URL).server.url == URL
    assert read("pods", "--server", "unix:/a", CONTAINER_TRACER_SERVER=URL).server.url == "unix:/a"
    assert not read("pods", "--server", "", CONTAINER_TRACER_SERVER=URL).server.url


def test_a_token_comes_from_a_file_or_the_environment_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    environ = {TOKEN_VARIABLE: " from-environment "}
    server = read("pods", "--token-file", f"{tmp_path}/token", **environ).server
    assert server.token == "from-file"
    assert "from-file" not in repr(server)
    assert read("pods", **environ).server.token == "from-environment"


def test_the_span_it_is_run_in_comes_from_the_environment_if_it_can_be_sent() -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    given = {"TRACEPARENT": f" {parent} ", "TRACESTATE": "a=1"}
    assert read("pods", **given).server.trace_context == {
        "traceparent": parent,
        "tracestate": "a=1",
    }
    for wrong in ("", "a\r\nX-Evil: 1", "\u00e9"):
        assert read("pods", TRACEPARENT=wrong).server.trace_context == {}


def test_a_cluster_is_named_by_a_flag_or_by_what_it_is_about() -> None:
    assert read("pods", "--cluster").server.cluster == Cluster()
    assert read("pods", "--kubeconfig", "a", "--kube-context", "b").server.cluster == Cluster(
        kubeconfig="a", context="b"
    )
    assert read("--tracer-namespace", "c", "pods").server.cluster == Cluster(namespace="c")
    server = read("pods", "--cluster", CONTAINER_TRACER_SERVER=URL).server
    assert (server.url, server.cluster) == ("", Cluster())


def test_as_a_plugin_of_kubectl_it_means_the_cluster_unless_a_server_is_named() -> None:
    def plugin(*argv: str, **environ: str) -> Server:
        return parse(argv, environ, COMMANDS, PLUGIN).server

    assert plugin("pods").cluster == Cluster()
    assert plugin("pods", CONTAINER_TRACER_SERVER=URL).cluster == Cluster()
    assert plugin("pods", "--server", URL) == Server(url=URL)


def test_nodes_before_the_command_and_after_it_are_all_meant() -> None:
    server = read("--node", "a", "--server", URL, "pods", "--node", "b*", "--node", "c").server
    assert server.nodes == ("a", "b*", "c")


def test_words_may_stand_among_options_and_all_behind_two_dashes_is_the_hooks() -> None:
    parsed = read("trace", "web", "--duration", "5s", "trace_syscalls", "--", "-s", "--", "-o", "x")
    assert parsed.options.words == ["web", "trace_syscalls"]
    assert parsed.hook_arguments == ("-s", "--", "-o", "x")


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ((), "say what to do"),
        (("dance",), "invalid choice: 'dance'"),
        (("pods", "--nonsense"), "--nonsense"),
        (("pods", "extra"), "extra"),
        (("pods", "--", "x"), "nothing may stand behind --"),
        (("pods", "-o", "xml"), "invalid choice: 'xml'"),
        (("trace", "a", "b", "--duration", "soon"), "'soon' is no duration"),
        (("trace", "a", "b", "--duration", "0"), "no time at all"),
        (("trace", "a", "b", "--max-events", "0"), "'0' is no number from 1"),
        (("trace", "a", "b", "--sample-rate", "50%"), "'50%' is neither always, never, nor"),
        (("top", "--sort", "name"), "invalid choice: 'name'"),
        (("top", "--interval", "0"), "0.1 to 86400"),
        (("top", "--interval", "nan"), "0.1 to 86400"),
        (("top", "--count", "-1"), "--count"),
        (("sessions",), "VERB"),
        (("sessions", "dance"), "invalid choice: 'dance'"),
        (("pods", "--token-file", "/no/such/file"), "No such file"),
        (("pods", "--node", "worker-1"), "name it with --server or --cluster"),
        (("pods", "--server", URL, "--cluster"), "name two tracers"),
        (("pods", "--server", URL, "--ca-file", "/no/such/file"), "--ca-file: No such file"),
        (("pods", "--server", "https://a", "--client-cert", "a"), "go together"),
        (("pods", "--server", "https://a", "--insecure-skip-verify"), "unrecognized arguments"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    argv: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why in refused(capsys, *argv)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_itself_with_examples_that_can_be_typed(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        read(name, "--help")
    shown = capsys.readouterr().out
    assert "examples:\n  container-tracer" in shown
    for example in COMMANDS[name].examples:
        words = shlex.split(example.partition(" > ")[0])
        assert read(*words).command is COMMANDS[name]


def test_the_program_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        read("--help")
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in COMMANDS)
